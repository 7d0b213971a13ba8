// Safetensors: reading one file or a folder of shards, and writing.
#pragma once

#include "solopo/io/safetensors_file.hpp"
#include "solopo/io/safetensors_set.hpp"
#include "solopo/io/safetensors_writer.hpp"
