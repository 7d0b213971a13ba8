// The checkpoint folders of a run: checkpoint-<step>/, made under a hidden name and renamed when whole, and
// hidden again before they are removed, so that no half of one ever has the name of a whole one.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "solopo/io/system_calls.hpp"

namespace solopo {

namespace checkpoint_detail {

inline std::filesystem::path folder_of(const std::filesystem::path& run, std::int64_t step) {
  return run / ("checkpoint-" + std::to_string(step));
}

inline void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) io::throw_io_error("open", folder.string(), errno);
  const int failed = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  if (failed != 0) io::throw_io_error("sync", folder.string(), error);
}

inline void move(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) io::throw_io_error("rename", from.string(), errno);
}

// Takes a folder's name away before its content, so that no half of it keeps the name of a whole one.
inline void remove_folder(const std::filesystem::path& folder) {
  const std::filesystem::path hidden =
      folder.parent_path() / ("." + folder.filename().string() + ".removed.tmp");
  std::error_code ignored;
  std::filesystem::remove_all(hidden, ignored);
  move(folder, hidden);
  std::filesystem::remove_all(hidden, ignored);
}

// What a run that was killed while saving or pruning left behind.
inline void remove_leftovers(const std::filesystem::path& run) {
  std::error_code ignored;
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(run, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".checkpoint-") && name.ends_with(".tmp")) found.push_back(entry.path());
  }
  for (const auto& path : found) std::filesystem::remove_all(path, ignored);
}

}  // namespace checkpoint_detail

// Steps of the folders named checkpoint-<step>, ascending; complete or not. None where there is no folder
// `run`; throws IoError where it cannot be read.
[[nodiscard]] inline std::vector<std::int64_t> list_checkpoints(const std::filesystem::path& run) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  std::filesystem::directory_iterator entry(run, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    constexpr std::string_view prefix = "checkpoint-";
    if (!name.starts_with(prefix) || name.size() == prefix.size() || name.size() > prefix.size() + 15)
      continue;
    const std::string digits = name.substr(prefix.size());
    if (digits.find_first_not_of("0123456789") != std::string::npos) continue;
    if (digits.size() > 1 && digits.front() == '0') continue;
    steps.push_back(std::stoll(digits));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    throw IoError("read the folder", run.string(), error.value(), error.message());
  std::sort(steps.begin(), steps.end());
  return steps;
}

// Removes checkpoints but the newest `keep_last` up to `step` and the best. Those after `step` are damaged
// ones that a resumed run passed over. Call after checkpoint `step` is durable.
inline void prune_checkpoints(const std::filesystem::path& run, std::size_t keep_last, std::int64_t step,
                              std::int64_t best_step) {
  const std::vector<std::int64_t> steps = list_checkpoints(run);
  const auto until = std::upper_bound(steps.begin(), steps.end(), step);
  const auto kept = static_cast<std::size_t>(until - steps.begin());
  const std::size_t drop =
      kept > std::max<std::size_t>(keep_last, 1) ? kept - std::max<std::size_t>(keep_last, 1) : 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if ((i < drop || i >= kept) && steps[i] != best_step) {
      checkpoint_detail::remove_folder(checkpoint_detail::folder_of(run, steps[i]));
    }
  }
}

}  // namespace solopo
