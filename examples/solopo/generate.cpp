#include "generate.hpp"

#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <iterator>
#include <ostream>
#include <vector>

#include "choose_template.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/utf8.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/model/language_model.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

void check(const GenerateCommandOptions& options) {
  std::string problems;
  const auto problem = [&](const std::string& text) { problems += (problems.empty() ? "" : "\n") + text; };
  if (options.prompt.empty() == options.messages.empty())
    problem("give either --prompt TEXT (or --prompt -) or --messages FILE.json");
  if (options.raw && !options.messages.empty()) problem("--raw needs --prompt, not --messages");
  if (options.raw && !options.system.empty()) problem("--raw has no system turn");
  if (!options.messages.empty() && !options.system.empty())
    problem("--system belongs to --prompt; put a system turn into the messages");
  if (options.max_new_tokens < 1) problem("--max-new-tokens must be at least 1");
  if (options.samples < 1) problem("--samples must be at least 1");
  if (!(options.temperature >= 0) || options.temperature > 100)
    problem("--temperature must lie between 0 and 100");
  check_device(options.where, problem);
  if (options.samples > 1 && options.temperature == 0)
    problem("--samples above 1 would all be the same at --temperature 0");
  if (!problems.empty()) throw UsageError(problems);
}

void require_utf8(const char* flag, const std::string& text) {
  if (const auto bad = io::find_invalid_utf8(text))
    throw UsageError(fmt::format("{}: the text is not valid UTF-8 at byte {}", flag, *bad));
}

std::vector<text::Message> read_messages(const std::filesystem::path& path) {
  io::Json json = io::parse_json_file(path, io::FileRole::data);
  if (json.is_object() && json.contains("messages")) json = json["messages"];
  const auto refuse = [&](const std::string& field, const std::string& reason) {
    throw DataError("field", {.file = path.string(), .field = field}, reason);
  };
  if (!json.is_array() || json.empty()) refuse("", "expected a list of {\"role\", \"content\"}");
  std::vector<text::Message> out;
  for (const io::Json& message : json) {
    for (const char* member : {"role", "content"}) {
      if (!message.is_object() || !message.contains(member) || !message[member].is_string())
        refuse(member, "every message needs a string \"role\" and a string \"content\"");
    }
    out.push_back(
        {.role = message["role"].get<std::string>(), .content = message["content"].get<std::string>()});
  }
  return out;
}

}  // namespace

int run_generate(const GenerateCommandOptions& options, const Console& console) {
  check(options);
  require_device(options.where);
  if (options.threads > 0) kernels::set_thread_count(static_cast<int>(options.threads));
  std::string prompt = options.prompt;
  if (prompt == "-") prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  require_utf8("--prompt", prompt);
  require_utf8("--system", options.system);
  std::vector<text::Message> messages;
  if (!options.messages.empty()) {
    messages = read_messages(options.messages);
  } else {
    if (!options.system.empty()) messages.push_back({.role = "system", .content = options.system});
    messages.push_back({.role = "user", .content = prompt});
  }

  const LanguageModel model = load_model(options.model, options.adapter);
  // Of a template, --raw needs only the token that ends a response.
  const text::ChatTemplate chat = options.raw && options.template_name.empty()
                                      ? model.chat
                                      : choose_template(options.template_name, model);
  const std::vector<std::int32_t> ids =
      options.raw ? model.tokenizer.encode(prompt) : text::encode_chat(model.tokenizer, chat, messages, true);
  const std::int64_t context = model.config.max_position_embeddings;
  if (static_cast<std::int64_t>(ids.size()) >= context) {
    throw DataError(
        "too_long",
        {.file = options.messages.empty() ? "the prompt" : options.messages.string(), .field = {}},
        fmt::format("it has {} tokens, the model reads {}", ids.size(), context));
  }

  using Clock = std::chrono::steady_clock;
  AnyDecoder decoder = make_decoder(model.weights, options.where);
  const auto begin = Clock::now();
  decoder.read_prompt(ids);
  const auto read = Clock::now();
  const bool stream = options.samples == 1;
  text::StreamDecoder decoded(model.tokenizer);
  GenerateOptions how{.max_new_tokens = options.max_new_tokens,
                      .temperature = options.temperature,
                      .samples = options.samples,
                      .seed = options.seed,
                      .stop_tokens = {text::end_of_turn(model.tokenizer, chat)}};
  how.on_token = [&](std::int32_t, std::int32_t token) {
    if (stream) console.out << decoded.push(token) << std::flush;
    return !console.stopping();
  };
  const std::vector<Generated> answers = decoder.generate(how);
  const double reading = std::chrono::duration<double>(read - begin).count(),
               writing = std::chrono::duration<double>(Clock::now() - read).count();

  std::size_t tokens = 0;
  bool cut = false;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    tokens += answers[i].tokens.size();
    cut |= !answers[i].stopped;
    if (stream) {
      console.out << decoded.finish() << '\n';
    } else {
      console.out << fmt::format("--- sample {} of {}, log-probability {:.2f}\n", i + 1, answers.size(),
                                 answers[i].logp)
                  << model.tokenizer.decode(answers[i].tokens, true) << '\n';
    }
  }
  console.out << std::flush;
  console.log << fmt::format(
      "{} prompt tokens at {:.0f}/s, {} new tokens at {:.1f}/s{}\n", ids.size(),
      static_cast<double>(ids.size()) / std::max(reading, 1e-9), tokens,
      static_cast<double>(tokens) / std::max(writing, 1e-9),
      cut && !console.stopping() ? "; ended by --max-new-tokens or the model's context" : "");
  return console.stopping() ? console.stopped_code() : 0;
}

}  // namespace solopo::cli
