// JSON lines: one object a line. A reader that says which line is bad and why, and goes on; a writer that
// replaces its file at the end; a writer that appends while a run goes on.
#pragma once

#include "solopo/io/jsonl_reader.hpp"
#include "solopo/io/jsonl_writer.hpp"
