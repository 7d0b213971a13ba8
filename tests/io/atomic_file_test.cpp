#include "solopo/io/atomic_file.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <string>
#include <vector>

#include "catch.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::bytes_of;
using test::TemporaryFolder;

namespace {

// Makes call number `fails_at` (from 0) fail and counts all calls. unlink, the way back, never fails.
class FailingCalls : public SystemCalls {
 public:
  explicit FailingCalls(int fails_at) : fails_at_(fails_at) {}
  int open(const char* path, int flags, ::mode_t mode) override {
    return fails() ? -1 : SystemCalls::open(path, flags, mode);
  }
  ::ssize_t write(int descriptor, const void* data, std::size_t bytes) override {
    return fails() ? -1 : SystemCalls::write(descriptor, data, bytes);
  }
  int fsync(int descriptor) override { return fails() ? -1 : SystemCalls::fsync(descriptor); }
  int close(int descriptor) override {
    const int result = SystemCalls::close(descriptor);  // a failing close closes, too
    return fails() ? -1 : result;
  }
  int rename(const char* from, const char* to) override {
    return fails() ? -1 : SystemCalls::rename(from, to);
  }
  int calls = 0;

 private:
  bool fails() {
    errno = ENOSPC;
    return calls++ == fails_at_;
  }
  int fails_at_;
};

// Writes at most three bytes a call.
class ShortWrites : public SystemCalls {
 public:
  ::ssize_t write(int descriptor, const void* data, std::size_t bytes) override {
    if (++turn_ % 4 == 0) return errno = EINTR, -1;
    return SystemCalls::write(descriptor, data, bytes < 3 ? bytes : 3);
  }

 private:
  int turn_ = 0;
};

// A system whose files cannot be locked.
class NoLocks : public SystemCalls {
 public:
  int flock(int, int) override { return errno = ENOLCK, -1; }
};

// The first name is taken, and the second is seen by a remover of leftovers before it is locked.
class CrossedWrites : public SystemCalls {
 public:
  int open(const char* path, int flags, ::mode_t mode) override {
    if ((flags & O_EXCL) == 0) return SystemCalls::open(path, flags, mode);
    if (++made_ == 1) return errno = EEXIST, -1;
    const int descriptor = SystemCalls::open(path, flags, mode);
    if (made_ == 2) SystemCalls::unlink(path);
    return descriptor;
  }
  int flock(int descriptor, int operation) override {
    if (made_ == 3) return ++made_, errno = EWOULDBLOCK, -1;
    return SystemCalls::flock(descriptor, operation);
  }
  [[nodiscard]] int made() const { return made_; }

 private:
  int made_ = 0;
};

// Takes nothing, without an error.
class NothingWritten : public SystemCalls {
 public:
  ::ssize_t write(int, const void*, std::size_t) override { return 0; }
};

}  // namespace

TEST_CASE("A committed file has the new content and leaves no temporary behind") {
  const TemporaryFolder folder;
  const auto path = folder.file("a.txt", "old");
  AtomicFile file(path, {.digest = true});
  file.write("new ");
  CHECK(bytes_of(path) == "old");
  file.write(std::string(200'000, 'x'));  // past the gathering buffer
  file.write("end");
  const WrittenFile written = file.commit();
  CHECK(bytes_of(path) == "new " + std::string(200'000, 'x') + "end");
  CHECK(written.bytes == 200'007);
  CHECK(written.sha256 == sha256_hex(bytes_of(path)));
  CHECK(folder.entries() == 1);
  CHECK_THROWS_AS(file.commit(), IoError);
}

TEST_CASE("Without commit the old file stays and the temporary goes") {
  const TemporaryFolder folder;
  const auto path = folder.file("a.txt", "old");
  { AtomicFile(path).write("half"); }
  CHECK(bytes_of(path) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("CK2: whichever call fails, the error is typed, the content is whole, and no temporary stays") {
  const std::string content(150'000, 'n');
  int calls = 0;
  for (int failing = 0;; ++failing) {
    const TemporaryFolder folder;
    const auto path = folder.file("a.txt", "old");
    FailingCalls system(failing);
    bool thrown = false;
    try {
      AtomicFile file(path, {.calls = &system});
      file.write("n");
      file.write(content);
      file.commit();
    } catch (const IoError& error) {
      thrown = true;
      CHECK(error.error_number() == ENOSPC);
      CHECK(std::string(error.what()).find("a.txt") != std::string::npos);
    }
    CHECK(folder.entries() == 1);
    const std::string now = bytes_of(path);
    if (failing >= system.calls) {
      CHECK_FALSE(thrown);
      CHECK(now == "n" + content);
      break;
    }
    calls = system.calls;
    // The last three calls close the file and sync and close the folder, after the rename: the new file is in
    // place and whole.
    if (now != "old") {
      CHECK(now == "n" + content);
      CHECK(failing >= 6);
    }
    // Only closing the folder, which holds nothing unwritten, may fail unseen.
    if (failing != 8) CHECK(thrown);
  }
  CHECK(calls == 9);  // open, write, write, fsync, open folder, rename, close, fsync folder, close folder
}

TEST_CASE("Short and interrupted writes go on where they stopped") {
  const TemporaryFolder folder;
  ShortWrites system;
  write_file(folder / "a.txt", "0123456789abcdef", {.calls = &system});
  CHECK(bytes_of(folder / "a.txt") == "0123456789abcdef");
  NothingWritten nothing;
  CHECK_THROWS_AS(write_file(folder / "a.txt", "x", {.calls = &nothing}), IoError);
  CHECK(bytes_of(folder / "a.txt") == "0123456789abcdef");
}

TEST_CASE("CK2: a real size limit of the system is an IoError and keeps the old file") {
  const TemporaryFolder folder;
  const auto path = folder.file("a.txt", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const ::rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file(path, std::string(300'000, 'x'));
    } catch (const IoError& error) {
      ::_exit(error.error_number() == EFBIG ? 0 : 2);
    }
    ::_exit(3);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(bytes_of(path) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("CK3: the temporary of a killed process is removed by the next write to that name") {
  const TemporaryFolder folder;
  const auto path = folder / "a.txt";
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(path);
    file.write(std::string(100'000, 'x'));
    ::_exit(0);  // no destructor runs
  }
  ::waitpid(child, nullptr, 0);
  REQUIRE(folder.entries() == 1);
  const auto other = folder.file(".b.txt.1-0.tmp", "of another name");
  AtomicFile file(path);
  CHECK(folder.entries() == 2);  // the other one and the new temporary
  file.write("new");
  file.commit();
  CHECK(bytes_of(path) == "new");
}

TEST_CASE("A leftover is told by its lock, whatever process its name names") {
  const TemporaryFolder folder;
  const std::string ours = ".a.txt." + std::to_string(::getpid()) + "-4000000000.tmp";
  static_cast<void>(folder.file(".a.txt.1-0.tmp", "of a process number that is used again"));
  static_cast<void>(folder.file(ours, "of one killed in another container"));
  const auto written = folder.file(".a.txt.999999999-0.tmp", "of one that writes in another container");
  const FileLock writer(written, "held");
  write_file(folder / "a.txt", "new");
  CHECK(folder.entries() == 2);
  CHECK(std::filesystem::exists(written));
}

TEST_CASE("Where files cannot be locked, a leftover is told by its process") {
  const TemporaryFolder folder;
  NoLocks system;
  const auto gone = folder.file(".a.txt.999999999-0.tmp", "");
  const auto alive = folder.file(".a.txt." + std::to_string(::getpid()) + "-4000000000.tmp", "");
  write_file(folder / "a.txt", "new", {.calls = &system});
  CHECK(bytes_of(folder / "a.txt") == "new");
  CHECK_FALSE(std::filesystem::exists(gone));
  CHECK(std::filesystem::exists(alive));
}

TEST_CASE("A temporary whose name is taken, or that is taken for a leftover, is made under another name") {
  const TemporaryFolder folder;
  CrossedWrites system;
  write_file(folder / "a.txt", "new", {.calls = &system});
  CHECK(bytes_of(folder / "a.txt") == "new");
  CHECK(system.made() == 5);
}

TEST_CASE("Two writers of one name do not disturb each other: the last to commit wins") {
  const TemporaryFolder folder;
  AtomicFile first(folder / "a.txt"), second(folder / "a.txt");
  first.write("first");
  second.write("second");
  second.commit();
  CHECK(bytes_of(folder / "a.txt") == "second");
  first.commit();
  CHECK(bytes_of(folder / "a.txt") == "first");
  CHECK(folder.entries() == 1);
}

TEST_CASE("A path that cannot be written fails before any work is done") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(AtomicFile(folder / "none" / "a.txt"), IoError);
  CHECK_THROWS_AS(AtomicFile(folder.path()), IoError);
  CHECK_THROWS_AS(AtomicFile("/dev/null"), IoError);
}

TEST_CASE("A symbolic link is kept and its target replaced") {
  const TemporaryFolder folder;
  const auto target = folder.file("target.txt", "old");
  std::filesystem::create_symlink(target, folder / "link.txt");
  write_file(folder / "link.txt", "new");
  CHECK(std::filesystem::is_symlink(folder / "link.txt"));
  CHECK(bytes_of(target) == "new");
}
