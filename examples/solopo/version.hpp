// What this program is and what it runs on.
#pragma once

#include <string>

#include "solopo/io/json.hpp"

namespace solopo::cli {

// The widest vector instructions the machine has ("AVX-512", "AVX2 + FMA", ...) and those the program was
// compiled for.
std::string detected_instruction_set();
std::string compiled_instruction_set();

// Processor, cores, memory, threads, instruction sets, matrix library, compiler, system.
io::Json machine_info();

// Several lines for people.
std::string version_text();

// Ends in an error before an instruction that the machine lacks ends the program. Throws Error.
void require_instruction_set();

}  // namespace solopo::cli
