// The program as a user meets it: its exit codes, messages, configuration files and signals.
#include <string>

#include "catch.hpp"
#include "cli_eval_fixture.hpp"
#include "cli_run.hpp"

namespace {

void write(const std::filesystem::path& path, const std::string& text) { solopo::io::write_file(path, text); }

const char* const commands[] = {"data",    "data build", "data synth", "data sample", "train",
                                "score",   "eval",       "compare",    "report",      "generate",
                                "inspect", "cost",       "objectives", "merge"};

}  // namespace

TEST_CASE("--version names the instruction set, the matrix library, the threads and the compiler") {
  const Outcome o = solopo_run("--version");
  CHECK(o.code == 0);
  for (const char* text :
       {"solopo 0.1.0", "instruction set:", "compiled for", "matrix library:", "threads:", "compiler:"})
    CHECK(has(o, text));
}

TEST_CASE("cost prints every scheme with its counts and ratios, and refuses what it cannot count by flag") {
  const Outcome o = solopo_run("cost --model-shape qwen2.5-7b --prompt 4096 --short 1024 --every-token");
  CAPTURE(o.text);
  CHECK(o.code == 0);
  CHECK(has(o, "7616 M weights"));
  for (const char* row : {"V, naive head ", "S+PS, two passes ", "S+PS+RO+LL ", "S+PS, ref "})
    CHECK(has(o, row));
  for (const char* ratio : {"1.074", "0.527", "0.773", "0.661", "0.687", "0.640", "0.714", "0.652", "1.029"})
    CHECK(has(o, ratio));
  const Outcome unknown = solopo_run("cost --model-shape gpt");
  CHECK(unknown.code == 2);
  CHECK(has(unknown, "--model-shape: 'gpt' is not one of smollm2-135m"));
  const Outcome empty = solopo_run("cost --response 0");
  CHECK(empty.code == 2);
  CHECK(has(empty, "--response: 0 must be"));
}

TEST_CASE("Every command has help with an example") {
  for (const char* command : commands) {
    const Outcome o = solopo_run(std::string(command) + " --help");
    CAPTURE(command, o.text);
    CHECK(o.code == 0);
    CHECK((has(o, std::string("  solopo ") + command) || std::string(command) == "data"));
  }
}

TEST_CASE("Wrong use ends with 2 and says what may have been meant") {
  Outcome o = solopo_run("");
  CHECK(o.code == 2);
  o = solopo_run("trian");
  CHECK(o.code == 2);
  CHECK(has(o, "there is no command 'trian'; did you mean 'train'?"));
  o = solopo_run("data bulid");
  CHECK(o.code == 2);
  CHECK(has(o, "there is no command 'bulid'; did you mean 'build'?"));
  o = solopo_run("train --model m --data d --out o --bta 0.1");
  CHECK(o.code == 2);
  CHECK(has(o, "solopo train: error: there is no option --bta; did you mean '--beta'?"));
  o = solopo_run("train --model m --data d --out o --beta x");
  CHECK(o.code == 2);
  CHECK(has(o, "--beta"));
  o = solopo_run("data synth");
  CHECK(o.code == 2);
  CHECK(has(o, "--out is required"));
  o = solopo_run("inspect something.txt");
  CHECK(o.code == 2);
}

TEST_CASE("Several problems of an evaluation's options are told at once") {
  const Outcome o = solopo_run("eval --model m --qa q --lengths 64,-1,64 --questions 1,2 --max-new-tokens 0");
  CHECK(o.code == 2);
  for (const char* text : {"negative", "twice", "2 numbers for 3 lengths", "--max-new-tokens"})
    CHECK(has(o, text));
}

TEST_CASE("Bad data ends with 3, a bad model with 4, and both name the file") {
  const ScratchFolder folder("codes");
  write(folder / "bad.jsonl", "{\"id\": \n");
  Outcome o = solopo_run("inspect " + (folder / "bad.jsonl").string());
  CHECK(o.code == 3);
  CHECK(has(o, "bad.jsonl:1"));
  o = solopo_run("compare " + (folder / "bad.jsonl").string() + " " + (folder / "bad.jsonl").string());
  CHECK(o.code == 2);  // the same name twice
  o = solopo_run("compare a=" + (folder / "bad.jsonl").string() + " b=" + (folder / "none.json").string());
  CHECK(o.code == 3);
  write(folder / "bad.safetensors", "short");
  o = solopo_run("inspect " + (folder / "bad.safetensors").string());
  CHECK(o.code == 4);
  CHECK(has(o, "bad.safetensors"));
  o = solopo_run("inspect " + (folder / "none.gguf").string());
  CHECK(o.code == 4);
  o = solopo_run("generate --prompt x --model " + (folder / "none").string());
  CHECK(o.code == 4);
}

TEST_CASE(
    "A model with an unknown chat template is refused where one is needed, and --template replaces it") {
  const ScratchFolder folder("template");
  const std::filesystem::path tiny = SOLOPO_SOURCE_DIR "/examples/data/tiny";
  std::filesystem::copy(tiny, folder / "model");
  write(folder / "model/chat_template.jinja", "{{ messages }}");
  const std::string model = " --model " + (folder / "model").string() + " ";
  Outcome o = solopo_run("generate --max-new-tokens 1 --prompt x" + model);
  CHECK(o.code == 4);
  CHECK(has(o, "not one of the known ones; choose one by name"));
  CHECK(solopo_run("generate --max-new-tokens 1 --prompt x --template plain" + model).code == 0);
  CHECK(solopo_run("generate --max-new-tokens 1 --prompt x --raw" + model).code == 0);
  CHECK(solopo_run("cost" + model).code == 0);
  o = solopo_run("inspect " + (folder / "model").string());
  CHECK(o.code == 0);
  CHECK(has(o, "chat template: unknown"));
}

TEST_CASE("A template's name that is none, and a prompt that is not UTF-8, end with 2") {
  const std::string tiny = " --model '" SOLOPO_SOURCE_DIR "/examples/data/tiny' --template chatlm ",
                    file = "'" SOLOPO_SOURCE_DIR "/examples/data/tiny/config.json'";
  for (const std::string& command :
       {std::string("generate --prompt x"), "eval --qa " + file, "data build --out none --qa " + file,
        "data sample --out none --in " + file, "score --out none --in " + file}) {
    const Outcome o = solopo_run(command + tiny);
    CAPTURE(command, o.text);
    CHECK(o.code == 2);
    CHECK(has(o, "--template: 'chatlm' is not known; did you mean 'chatml'?"));
  }
  const Outcome o = solopo_run("generate --prompt \"$(printf 'a\\377')\" --model none");
  CHECK(o.code == 2);
  CHECK(has(o, "--prompt: the text is not valid UTF-8 at byte 1"));
}

TEST_CASE("A result that cannot be written ends with 1, and nothing is left") {
  const ScratchFolder folder("unwritable");
  const Outcome o = solopo_run("data synth --count 1 --out " + (folder / "no/such/folder/x.jsonl").string());
  CHECK(o.code == 1);
  CHECK(has(o, "x.jsonl"));
  CHECK_FALSE(std::filesystem::exists(folder / "no"));
}

TEST_CASE("A YAML file gives options, and flags override it") {
  const ScratchFolder folder("yaml");
  const std::string out = (folder / "a.jsonl").string(), config = (folder / "c.yaml").string();
  write(config, "count: 3   # questions\nseed: 5\nout: " + out + "\n");
  Outcome o = solopo_run("data synth --config " + config);
  CHECK(o.code == 0);
  CHECK(has(o, "3 questions"));
  o = solopo_run("data synth --count 2 --config " + config);
  CHECK(o.code == 0);
  CHECK(has(o, "2 questions"));
  o = solopo_run("--config " + config + " data synth --count 4");
  CHECK(o.code == 0);
  CHECK(has(o, "4 questions"));
}

TEST_CASE("A YAML file may hold sections for several commands, and '_' is '-'") {
  const ScratchFolder folder("sections");
  const std::string out = (folder / "a.jsonl").string(), config = (folder / "c.yaml").string();
  write(config, "data:\n  synth:\n    count: 3\n    out: " + out +
                    "\ntrain:\n  max_steps: 7\n  stop_short_gradient: true\neval:\n  lengths: [0, 64]\n");
  const Outcome o = solopo_run("data synth --config " + config);
  CAPTURE(o.text);
  CHECK(o.code == 0);
  CHECK(has(o, "3 questions"));
}

TEST_CASE(
    "An unknown key of a YAML file ends with 2, names file and line, and says what may have been meant") {
  const ScratchFolder folder("yaml-bad");
  const std::string config = (folder / "c.yaml").string();
  write(config, "model: m\ndata: d\nout: o\nbta: 0.1\nstop_short_gradiant: true\n");
  Outcome o = solopo_run("train --config " + config);
  CHECK(o.code == 2);
  CHECK(has(o, "c.yaml:4: 'solopo train' has no option 'bta'; did you mean 'beta'?"));
  CHECK(has(
      o,
      "c.yaml:5: 'solopo train' has no option 'stop_short_gradiant'; did you mean 'stop-short-gradient'?"));
  write(config, "train:\n  bta: 0.1\n");
  o = solopo_run("train --config " + config);
  CHECK(o.code == 2);
  CHECK(has(o, "c.yaml:2"));
  write(config, "alpha: 1\nalpha: 2\n");
  CHECK(solopo_run("train --config " + config).code == 2);
  write(config, "alpha: [1\n");
  o = solopo_run("train --config " + config);
  CHECK(o.code == 2);
  CHECK(has(o, "not YAML"));
  write(config, "- alpha\n");
  CHECK(solopo_run("train --config " + config).code == 2);
  CHECK(solopo_run("train --config " + (folder / "none.yaml").string()).code == 2);
}

TEST_CASE("Requirements count options of the YAML file, and wrong values there are refused") {
  const ScratchFolder folder("yaml-values");
  const std::string config = (folder / "c.yaml").string();
  write(config, "out: " + (folder / "a.jsonl").string() + "\ncount: many\n");
  Outcome o = solopo_run("data synth --config " + config);
  CHECK(o.code == 2);
  CHECK(has(o, "--count"));
  write(config, "count: 1\n");
  o = solopo_run("data synth --config " + config);
  CHECK(o.code == 2);
  CHECK(has(o, "--out is required"));
}

TEST_CASE("The list of objectives has the paper's defaults") {
  const Outcome o = solopo_run("objectives");
  CHECK(o.code == 0);
  for (const char* text :
       {"dpo", "simpo", "orpo", "apo-zero", "f-dpo", "longpo", "solopo:NAME", "alpha 3", "arXiv 2505.11166"})
    CHECK(has(o, text));
}

TEST_CASE("compare and report run on results alone") {
  const ScratchFolder folder("compare");
  write_eval(folder / "start.json", made_up_eval("start", 20, 8));
  write_eval(folder / "solo.json", made_up_eval("solo", 20, 13));
  const std::string start = (folder / "start.json").string(), solo = (folder / "solo.json").string();
  Outcome o = solopo_run("compare " + start + " " + solo + " --out " + (folder / "d.json").string());
  CHECK(o.code == 0);
  CHECK(has(o, "solo minus start"));
  CHECK(has(o, "+25.0 [+"));
  CHECK(std::filesystem::exists(folder / "d.json"));
  o = solopo_run("report --eval start=" + start + " --eval solo=" + solo + " --out " +
                 (folder / "r.html").string());
  CHECK(o.code == 0);
  CHECK(std::filesystem::exists(folder / "r.html"));
  o = solopo_run("report --eval start=" + start + " --title x");
  CHECK(o.code == 2);
}

TEST_CASE("SIGINT and SIGTERM stop an evaluation with 130 and 143, and leave no result behind") {
  const ScratchFolder folder("signals");
  const std::string qa = (folder / "qa.jsonl").string(), out = (folder / "e.json").string();
  REQUIRE(solopo_run("data synth --count 4000 --out " + qa).code == 0);
  for (const auto& [name, code] : {std::pair<std::string, int>{"INT", 130}, {"TERM", 143}}) {
    const Outcome o =
        run_shell("timeout --preserve-status -s " + name +
                  " 0.7 '" SOLOPO_PROGRAM "' eval --model '" SOLOPO_SOURCE_DIR "/examples/data/tiny' --qa " +
                  qa + " --prompt-format synthetic --lengths 256,512 --questions 4000 --out " + out);
    CAPTURE(name, o.text);
    CHECK(o.code == code);
    CHECK(has(o, "stopped; "));
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder / ".")) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    CHECK((name == "qa.jsonl" || name == "e.json.partial"));
  }
}
