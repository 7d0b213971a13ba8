// One line of a contexts file: a question with a short and a long prompt.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "solopo/io/json.hpp"
#include "solopo/text/chat_template.hpp"

namespace solopo::cli {

struct ContextRecord {
  std::string id, question;
  std::vector<std::string> answers;
  std::vector<text::Message> prompt_short, prompt_long;
  std::int64_t short_tokens = 0, long_tokens = 0;
  double evidence_depth = 0;  // in the long context, see Context::depth
};

struct ContextFile {
  std::vector<ContextRecord> records;
  std::string sha256;
};

io::Json to_json(const ContextRecord& record);

// DataError at the first line that is not such a record.
ContextFile read_contexts(const std::filesystem::path& path);

}  // namespace solopo::cli
