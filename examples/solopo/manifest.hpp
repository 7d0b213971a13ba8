// The account of a made file, written beside it as FILE.manifest.json: what went in, what came out, what was
// dropped and why, and every option that shaped it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "question_split.hpp"
#include "solopo/io/json.hpp"

namespace solopo::cli {

// min, median, 95th percentile (nearest rank) and max of a set of token counts.
io::Json token_statistics(std::vector<std::int64_t> counts);

// {file, sha256, records, kept, bad, dropped, notes}.
io::Json to_json(const ReadReport& report);

io::Json to_json(const Split& split);

std::filesystem::path manifest_path(const std::filesystem::path& output);
// Call before a new output takes the place of an old one: after a kill in between, no manifest is better than
// that of other data. Throws IoError.
void remove_manifest(const std::filesystem::path& output);
// Adds "program" (name and version) and writes; same content, same bytes.
void write_manifest(const std::filesystem::path& output, io::Json manifest);

// The articles of a `data build` manifest, so that an evaluation uses exactly the other ones.
Split read_split(const std::filesystem::path& manifest);

}  // namespace solopo::cli
