#include "inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "solopo/io/gguf.hpp"
#include "solopo/io/jsonl.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/model/language_model.hpp"
#include "solopo/model/lora_files.hpp"
#include "solopo/train/restore_checkpoint.hpp"
#include "text_table.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

namespace fs = std::filesystem;

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

std::string size_text(double bytes) {
  if (bytes >= 1073741824.0) return fmt::format("{:.2f} GiB", bytes / 1073741824.0);
  if (bytes >= 1048576.0) return fmt::format("{:.1f} MiB", bytes / 1048576.0);
  return fmt::format("{:.1f} KiB", bytes / 1024.0);
}

struct TypeCount {
  std::uint64_t tensors = 0, elements = 0, bytes = 0;
};
using TypeCounts = std::map<std::string, TypeCount>;

struct TensorLine {
  std::string name, type;
  std::vector<std::uint64_t> shape;
  std::uint64_t elements = 0, bytes = 0;
};

void print_tensors(const std::vector<TensorLine>& tensors, bool list, std::ostream& out) {
  TypeCounts types;
  TypeCount all;
  for (const TensorLine& t : tensors) {
    for (TypeCount* count : {&types[t.type], &all}) {
      count->tensors += 1;
      count->elements += t.elements;
      count->bytes += t.bytes;
    }
  }
  TextTable table({"type", "tensors", "parameters", "size"});
  const auto add = [&](const std::string& name, const TypeCount& c) {
    table.add({name, std::to_string(c.tensors), std::to_string(c.elements),
               size_text(static_cast<double>(c.bytes))});
  };
  for (const auto& [name, count] : types) add(name, count);
  if (types.size() > 1) add("all", all);
  out << '\n';
  table.print(out);
  if (!list) return;
  out << '\n';
  TextTable names({"tensor", "type", "shape", "size"});
  for (const TensorLine& t : tensors)
    names.add({printable(t.name), t.type, shape_text(t.shape), size_text(static_cast<double>(t.bytes))});
  names.print(out);
}

void print_finite(const std::vector<io::NonFiniteTensor>& bad, std::ostream& out) {
  if (bad.empty()) {
    out << "\nall values are finite\n";
    return;
  }
  out << "\nNOT FINITE:\n";
  for (const io::NonFiniteTensor& t : bad)
    out << "  " << printable(t.name) << ": " << t.count << " values are NaN or infinite\n";
}

void print_text(const ModelText& text, std::ostream& out) {
  const LlamaConfig& c = text.config;
  const auto id = [&](std::int32_t token) {
    return token < 0 || token >= text.tokenizer.vocab_size()
               ? std::string("none")
               : fmt::format("{} {}", token, printable(text.tokenizer.token(token)));
  };
  out << fmt::format(
      "architecture:  {}, {} layers, width {}, feed-forward {}\n"
      "attention:     {} heads, {} of keys and values, {} wide, rotary theta {:g}{}\n"
      "context:       {} tokens\n"
      "vocabulary:    {} rows, {} tokens in the tokenizer, head {}\n"
      "chat template: {}\n"
      "ends a turn:   {}\n"
      "bos, eos:      {}, {}\n",
      c.model_type, c.num_hidden_layers, c.hidden_size, c.intermediate_size, c.num_attention_heads,
      c.num_key_value_heads, c.head_dim, c.rope_theta, c.attention_bias ? ", biases" : "",
      c.max_position_embeddings, c.vocab_size, text.tokenizer.vocab_size(),
      c.tie_word_embeddings ? "tied to the embedding" : "of its own", name_of(text.chat.kind),
      id(text::end_of_turn(text.tokenizer, text.chat)), id(c.bos_token_id), id(c.eos_token_id));
}

std::vector<TensorLine> lines_of(const std::vector<io::SafetensorsTensor>& tensors) {
  std::vector<TensorLine> out;
  for (const io::SafetensorsTensor& t : tensors)
    out.push_back({.name = t.name,
                   .type = std::string(info(t.dtype).name),
                   .shape = t.shape,
                   .elements = t.elements(),
                   .bytes = t.end - t.begin});
  return out;
}

void inspect_safetensors(const std::vector<const io::SafetensorsFile*>& files, const InspectOptions& options,
                         std::ostream& out) {
  std::vector<TensorLine> tensors;
  std::vector<io::NonFiniteTensor> bad;
  for (const io::SafetensorsFile* file : files) {
    const auto lines = lines_of(file->tensors());
    tensors.insert(tensors.end(), lines.begin(), lines.end());
    if (!options.finite) continue;
    const auto found = file->check_finite();
    bad.insert(bad.end(), found.begin(), found.end());
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  print_tensors(tensors, options.tensors, out);
  if (options.finite) print_finite(bad, out);
}

void inspect_folder(const InspectOptions& options, std::ostream& out) {
  const fs::path& folder = options.path;
  bool known = false;
  const std::vector<std::int64_t> steps = list_checkpoints(folder);
  if (!steps.empty()) {
    known = true;
    out << "checkpoints:  ";
    for (const std::int64_t step : steps) out << ' ' << step;
    out << '\n';
    if (const auto newest = newest_checkpoint(folder, [&](const std::string& w) { out << w << '\n'; }))
      out << "newest:        " << newest->folder.string() << ", " << newest->state.num_tokens << " tokens, "
          << fmt::format("{:.0f} s of training\n", newest->state.seconds);
  }
  if (fs::exists(folder / "trainer_state.json")) {
    known = true;
    const Checkpoint checkpoint = read_manifest(folder);
    out << fmt::format(
        "checkpoint:    step {}, {} tokens, {:.0f} s of training; all files match their checksums\n",
        checkpoint.state.step, checkpoint.state.num_tokens, checkpoint.state.seconds);
  }
  if (fs::exists(folder / "config.json")) {
    known = true;
    print_text(load_model_text(folder), out);
    const io::SafetensorsSet set(folder);
    std::vector<const io::SafetensorsFile*> files;
    for (const io::SafetensorsFile& file : set.files()) files.push_back(&file);
    inspect_safetensors(files, options, out);
  }
  if (fs::exists(folder / adapter_config_name)) {
    known = true;
    out << "adapters:      " << describe(load_lora_config(folder)) << '\n';
    const io::SafetensorsFile tensors(folder / adapter_weights_name);
    inspect_safetensors({&tensors}, options, out);
  }
  if (!known) {
    throw ModelError("missing", {.file = folder.string(), .field = {}},
                     "the folder holds no model (config.json), no adapters (adapter_config.json) and no "
                     "checkpoints");
  }
}

void inspect_gguf(const InspectOptions& options, std::ostream& out) {
  const io::GgufFile file(options.path);
  out << "GGUF version " << file.version() << ", " << file.metadata().size() << " keys\n";
  print_text(load_model_text(options.path), out);
  std::vector<TensorLine> tensors;
  std::vector<io::NonFiniteTensor> bad;
  std::vector<float> values;
  for (const io::GgufTensor& t : file.tensors()) {
    const auto* type = io::find_ggml_type(t.type);
    tensors.push_back({.name = t.name,
                       .type = type ? std::string(type->name) : "unknown",
                       .shape = t.shape(),
                       .elements = t.elements,
                       .bytes = t.bytes});
    if (!options.finite) continue;
    values.resize(t.elements);
    file.read_f32(t.name, values);
    const auto count = std::count_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
    if (count > 0) bad.push_back({.name = t.name, .count = static_cast<std::uint64_t>(count)});
  }
  if (options.tensors) {
    out << '\n';
    TextTable table({"key", "type", "value"});
    for (const io::GgufEntry& entry : file.metadata().entries()) {
      const std::string_view key = file.metadata().key(entry);
      std::string value = entry.type == io::GgufType::ARRAY ? std::to_string(entry.count) + " values" : "";
      if (entry.type == io::GgufType::STRING) value = printable(file.get<std::string>(key), 60);
      if (entry.type == io::GgufType::F32) value = fmt::format("{:g}", file.get<float>(key));
      if (entry.type == io::GgufType::U32) value = std::to_string(file.get<std::uint32_t>(key));
      if (entry.type == io::GgufType::BOOL) value = file.get<bool>(key) ? "true" : "false";
      table.add({printable(key), std::string(io::gguf_type_name(entry.type)), value});
    }
    table.print(out);
  }
  print_tensors(tensors, options.tensors, out);
  if (options.finite) print_finite(bad, out);
}

// Tokens of a prompt or response: a string as it is, a list of messages through the template.
std::size_t tokens_of(const io::Json& value, const ModelText& text, bool is_prompt) {
  if (value.is_string()) return text.tokenizer.encode(value.get<std::string>()).size();
  std::vector<text::Message> messages;
  for (const io::Json& m : value) {
    if (!m.is_object() || !m.contains("role") || !m.contains("content") || !m["role"].is_string() ||
        !m["content"].is_string())
      return 0;
    messages.push_back({.role = m["role"].get<std::string>(), .content = m["content"].get<std::string>()});
  }
  if (is_prompt) return text::encode_chat(text.tokenizer, text.chat, messages, true).size();
  std::size_t tokens = 0;
  for (const text::Message& m : messages) tokens += text.tokenizer.encode(m.content).size();
  return tokens;
}

void inspect_records(const InspectOptions& options, std::ostream& out) {
  std::optional<ModelText> text;
  if (!options.model.empty()) text = load_model_text(options.model);
  io::JsonlReader reader(options.path);
  std::size_t records = 0;
  std::map<std::string, std::size_t> fields, sampled_from;
  std::map<std::string, std::vector<std::size_t>> sizes;
  while (const auto record = reader.next()) {
    ++records;
    for (const auto& [name, value] : record->value.items()) {
      ++fields[name];
      if (name == "sampled_from" && value.is_string()) ++sampled_from[value.get<std::string>()];
      const bool is_prompt = name.rfind("prompt", 0) == 0,
                 is_response = name == "chosen" || name == "rejected";
      if (text && (is_prompt || is_response) && (value.is_string() || value.is_array()))
        sizes[name].push_back(tokens_of(value, *text, is_prompt));
      if ((name == "short_tokens" || name == "long_tokens") && value.is_number_unsigned())
        sizes[name].push_back(value.get<std::size_t>());
    }
  }
  out << records << " records\n\n";
  TextTable table({"field", "records"});
  for (const auto& [name, count] : fields) table.add({printable(name, 40), std::to_string(count)});
  table.print(out);
  for (const auto& [from, count] : sampled_from)
    out << "\nsampled from " << printable(from) << ": " << count << '\n';
  if (sizes.empty()) {
    out << "\n--model counts the tokens of prompts and responses\n";
    return;
  }
  out << '\n';
  TextTable statistics({"tokens", "min", "median", "mean", "95 %", "max", "sum"});
  for (auto& [name, counts] : sizes) {
    auto& values = counts;  // clang 14: a lambda cannot use a structured binding
    std::sort(values.begin(), values.end());
    std::size_t sum = 0;
    for (const std::size_t v : values) sum += v;
    const auto rank = [&](double q) {
      return std::to_string(
          values[static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size()))) - 1]);
    };
    statistics.add({name, std::to_string(values.front()), rank(0.5),
                    fmt::format("{:.1f}", static_cast<double>(sum) / static_cast<double>(values.size())),
                    rank(0.95), std::to_string(values.back()), std::to_string(sum)});
  }
  statistics.print(out);
}

}  // namespace

void run_inspect(const InspectOptions& options, const Console& console) {
  const std::string extension = options.path.extension().string();
  if (fs::is_directory(options.path)) {
    inspect_folder(options, console.out);
  } else if (extension == ".gguf") {
    inspect_gguf(options, console.out);
  } else if (extension == ".safetensors") {
    const io::SafetensorsFile file(options.path);
    for (const auto& [key, value] : file.metadata())
      console.out << "metadata " << printable(key) << " = " << printable(value) << '\n';
    inspect_safetensors({&file}, options, console.out);
  } else if (extension == ".jsonl") {
    inspect_records(options, console.out);
  } else {
    throw UsageError("cannot tell what " + options.path.string() +
                     " is: expected a folder, or a file ending in .gguf, .safetensors or .jsonl");
  }
}

}  // namespace solopo::cli
