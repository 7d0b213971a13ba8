#include "manifest.hpp"

#include <algorithm>

#include "solopo/core/config.hpp"
#include "solopo/io/atomic_file.hpp"
#include "solopo/io/remove_file.hpp"
#include "text_file.hpp"

namespace solopo::cli {

io::Json token_statistics(std::vector<std::int64_t> counts) {
  if (counts.empty()) return io::Json::object();
  std::sort(counts.begin(), counts.end());
  const auto percentile = [&](std::size_t percent) {
    return counts[(counts.size() * percent + 99) / 100 - 1];
  };
  return {
      {"min", counts.front()}, {"median", percentile(50)}, {"p95", percentile(95)}, {"max", counts.back()}};
}

io::Json to_json(const ReadReport& report) {
  return {{"file", report.file},  {"sha256", report.sha256}, {"records", report.records},
          {"kept", report.kept},  {"bad", report.bad},       {"dropped", report.dropped},
          {"notes", report.notes}};
}

io::Json to_json(const Split& split) { return {{"train", split.train}, {"test", split.test}}; }

std::filesystem::path manifest_path(const std::filesystem::path& output) {
  return output.string() + ".manifest.json";
}

void remove_manifest(const std::filesystem::path& output) { io::remove_file(manifest_path(output)); }

void write_manifest(const std::filesystem::path& output, io::Json manifest) {
  manifest["program"] = {{"name", "solopo"}, {"version", SOLOPO_VERSION}};
  io::write_file(manifest_path(output),
                 manifest.dump(2, ' ', false, io::Json::error_handler_t::replace) + "\n");
}

Split read_split(const std::filesystem::path& manifest) {
  const std::string name = manifest.string();
  const io::Json json = parse_record(read_text_file(manifest), name, 0);
  const auto articles = [&](const char* part) {
    std::vector<std::string> out;
    const io::Json::json_pointer place("/split/" + std::string(part));
    if (!json.contains(place) || !json[place].is_array()) {
      throw DataError("field", {.file = name, .field = place.to_string()},
                      "no such list of articles; was the data built with --split-by article?");
    }
    for (const io::Json& article : json[place]) {
      if (!article.is_string())
        throw DataError("field", {.file = name, .field = place.to_string()}, "expected names");
      out.push_back(article.get<std::string>());
    }
    return out;
  };
  return {.train = articles("train"), .test = articles("test")};
}

}  // namespace solopo::cli
