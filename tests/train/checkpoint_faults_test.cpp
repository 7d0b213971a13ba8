// Kills and failures in the middle of saving. This program's own write, fsync, rename and so on stand before
// the C library's, count what is called on the run's folder, and at the Nth call fail or end the process.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <filesystem>
#include <limits>
#include <string>

#include "catch.hpp"
#include "tiny_run.hpp"

namespace {

enum class Fault { none, kill, fail };
Fault fault = Fault::none;
int fail_with = ENOSPC;
long calls_left = 0;  // until the fault
long calls_seen = 0;

// Whether this call is the one to fail; ends the process when it is the one to die at.
bool strikes() {
  if (fault == Fault::none) return false;
  ++calls_seen;
  if (calls_left-- != 0) return false;
  if (fault == Fault::kill) ::kill(::getpid(), SIGKILL);
  errno = fail_with;
  return true;
}

// A process that has used several OpenMP threads cannot use them after fork().
const bool one_thread = (solopo::kernels::set_thread_count(1), true);

template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* data, size_t bytes) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  return descriptor > 2 && strikes() ? -1 : real(descriptor, data, bytes);
}
ssize_t pread(int descriptor, void* data, size_t bytes, off_t offset) {
  static auto* const real = next<ssize_t(int, void*, size_t, off_t)>("pread");
  return strikes() ? -1 : real(descriptor, data, bytes, offset);
}
int fsync(int descriptor) {
  static auto* const real = next<int(int)>("fsync");
  return strikes() ? -1 : real(descriptor);
}
int close(int descriptor) {
  static auto* const real = next<int(int)>("close");
  if (!strikes()) return real(descriptor);
  real(descriptor);
  errno = fail_with;
  return -1;
}
int rename(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("rename");
  return strikes() ? -1 : real(from, to);
}
int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const real = next<int(const char*, mode_t)>("mkdir");
  return strikes() ? -1 : real(path, mode);
}
int open(const char* path, int flags, ...) {
  static auto* const real = next<int(const char*, int, ...)>("open");
  va_list more;
  va_start(more, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return strikes() ? -1 : real(path, flags, mode);
}

}  // extern "C"

using namespace solopo;
using namespace solopo::test;
namespace fs = std::filesystem;

namespace {

TinyRun saving_run(const fs::path& folder) {
  TinyRun run{.objective = "solopo:dpo", .records = 4, .batch_size = 2, .max_steps = 3};
  run.options.folder = folder;
  run.options.save_every = 1;
  run.options.keep_last = 1;
  return run;
}

// Lets the fault strike the Nth call made between two steps, that is while checkpoint `step` is saved.
struct FaultDuringSave : Recorder {
  Fault kind;
  std::int64_t step;
  long n;
  FaultDuringSave(Fault k, std::int64_t s, long at) : kind(k), step(s), n(at) {}
  void on_step(std::int64_t done, const Metrics& metrics) override {
    Recorder::on_step(done, metrics);
    if (done != step) return;
    fault = kind;
    calls_left = n;
    calls_seen = 0;
  }
  void on_save(std::int64_t done, const fs::path& at) override {
    Recorder::on_save(done, at);
    fault = Fault::none;
  }
  void on_warning(const std::string& message) override {
    Recorder::on_warning(message);
    fault = Fault::none;
  }
};

std::vector<float> uninterrupted() {
  TemporaryFolder folder;
  Recorder recorder;
  return train_tiny(saving_run(folder.path()), recorder).weights;
}

bool has_leftovers(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().ends_with(".tmp")) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("Killed at any call while saving, a rerun ends with the bits of an uninterrupted run") {
  const std::vector<float> expected = uninterrupted();
  int killed = 0;
  for (long n = 0;; ++n) {
    TemporaryFolder folder;
    const ::pid_t child = ::fork();
    if (child == 0) {
      FaultDuringSave recorder(Fault::kill, 2, n);
      train_tiny(saving_run(folder.path()), recorder);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status)) break;  // there is no Nth call
    ++killed;
    INFO("killed at call " << n);
    const auto newest = newest_checkpoint(folder.path());
    REQUIRE(newest.has_value());
    CHECK((newest->state.step == 1 || newest->state.step == 2));
    TinyRun again = saving_run(folder.path());
    again.options.resume = true;
    Recorder recorder;
    CHECK(train_tiny(again, recorder).weights == expected);
    CHECK(recorder.warnings.empty());
    CHECK_FALSE(has_leftovers(folder.path()));
    CHECK(list_checkpoints(folder.path()) == std::vector<std::int64_t>{3});
  }
  CHECK(killed > 15);
}

TEST_CASE("A failure at any call while saving is an error, leaves the older checkpoint and no temporary") {
  const std::vector<float> expected = uninterrupted();
  for (const int number : {ENOSPC, EIO}) {
    fail_with = number;
    int failed = 0;
    for (long n = 0;; ++n) {
      TemporaryFolder folder;
      FaultDuringSave recorder(Fault::fail, 2, n);
      bool thrown = false;
      try {
        train_tiny(saving_run(folder.path()), recorder);
      } catch (const Error&) {
        thrown = true;
      }
      const bool struck = calls_seen > n;
      fault = Fault::none;
      if (!struck) break;
      INFO("errno " << number << " at call " << n << (thrown ? ", thrown" : ""));
      failed += thrown;
      const auto newest = newest_checkpoint(folder.path());
      REQUIRE(newest.has_value());
      if (thrown) CHECK_FALSE(has_leftovers(folder.path()));
      TinyRun again = saving_run(folder.path());
      again.options.resume = true;
      Recorder rerun;
      CHECK(train_tiny(again, rerun).weights == expected);
    }
    CHECK(failed > 10);
  }
  fail_with = ENOSPC;
}

TEST_CASE("A checkpoint that the system fails to read is an error, and no older one is taken for it") {
  TemporaryFolder folder;
  Recorder recorder;
  TinyRun run = saving_run(folder.path());
  run.options.keep_last = 2;
  train_tiny(run, recorder);
  for (const int number : {EIO, EACCES, EMFILE}) {
    fail_with = number;
    int failed = 0;
    for (long n = 0;; ++n) {
      std::optional<Checkpoint> found;
      bool thrown = false;
      calls_left = n;
      calls_seen = 0;
      fault = Fault::fail;
      try {
        found = newest_checkpoint(folder.path());
      } catch (const Error&) {
        thrown = true;
      }
      fault = Fault::none;
      if (calls_seen <= n) break;
      INFO("errno " << number << " at call " << n);
      failed += thrown;
      CHECK((thrown || found->state.step == 3));
    }
    CHECK(failed > 4);
  }
  fail_with = ENOSPC;
}

TEST_CASE("With the rule warn a full disk costs the checkpoint, not the run") {
  const std::vector<float> expected = uninterrupted();
  TemporaryFolder folder;
  FaultDuringSave recorder(Fault::fail, 2, 3);
  TinyRun run = saving_run(folder.path());
  run.options.save_failure = SaveFailure::warn;
  CHECK(train_tiny(run, recorder).weights == expected);
  REQUIRE(recorder.warnings.size() == 1);
  CHECK(recorder.warnings[0].find("no checkpoint at step 2") == 0);
  CHECK(recorder.saves == std::vector<std::int64_t>{1, 3});
}

TEST_CASE("A best checkpoint that could not be written is not the best") {
  const auto run_in = [](const fs::path& folder, Recorder& recorder) {
    TinyRun run = saving_run(folder);
    run.eval_records = 3;
    run.options.eval_every = 1;
    run.options.save_failure = SaveFailure::warn;
    return train_tiny(run, recorder).result.best_step;
  };
  TemporaryFolder whole, parts;
  Recorder all;
  const std::int64_t best = run_in(whole.path(), all);
  FaultDuringSave recorder(Fault::fail, best, 3);
  const std::int64_t second = run_in(parts.path(), recorder);
  REQUIRE(recorder.warnings.size() == 1);
  std::int64_t expected = -1;
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [step, metrics] : recorder.evals)
    if (step != best && *metrics.find("eval_loss") < least) {
      least = *metrics.find("eval_loss");
      expected = step;
    }
  CHECK(second == expected);
  CHECK(fs::exists(parts.path() / ("checkpoint-" + std::to_string(second))));
}

TEST_CASE("A limit on file size is an IoError and leaves the older checkpoint") {
  TemporaryFolder folder;
  Recorder recorder;
  TinyRun run = saving_run(folder.path());
  run.max_steps = 1;
  train_tiny(run, recorder);
  const ::pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const ::rlimit limit{10000, 10000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    TinyRun more = run;
    more.max_steps = 2;
    more.options.resume = true;
    more.options.allow_change = {"steps", "places"};
    try {
      Recorder inner;
      train_tiny(more, inner);
    } catch (const IoError& error) {
      ::_exit(error.error_number() == EFBIG ? 7 : 8);
    } catch (...) {
      ::_exit(9);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 7);
  CHECK(list_checkpoints(folder.path()) == std::vector<std::int64_t>{1});
  CHECK_FALSE(has_leftovers(folder.path()));
  CHECK(newest_checkpoint(folder.path())->state.step == 1);
}
