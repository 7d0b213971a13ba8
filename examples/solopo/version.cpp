#include "version.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "device.hpp"
#include "solopo/core/config.hpp"
#include "solopo/core/error.hpp"
#include "solopo/kernels/native_bf16.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/product.hpp"

namespace solopo::cli {
namespace {

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

std::string detected_instruction_set() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return __builtin_cpu_supports("avx512vnni") ? "AVX-512 with VNNI" : "AVX-512";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "AVX2 + FMA";
  if (__builtin_cpu_supports("avx")) return "AVX";
  return "SSE2";
#elif defined(__aarch64__)
  return "NEON";
#else
  return "unknown";
#endif
}

std::string compiled_instruction_set() {
#if defined(__AVX512F__) && defined(__AVX512VL__)
  return "AVX-512";
#elif defined(__AVX2__) && defined(__FMA__)
  return "AVX2 + FMA";
#elif defined(__AVX__)
  return "AVX";
#elif defined(__SSE2__)
  return "SSE2 (build with -march=native for speed)";
#elif defined(__ARM_NEON)
  return "NEON";
#else
  return "unknown";
#endif
}

void require_instruction_set() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool able = true;
#if defined(__AVX512F__)
  able = able && __builtin_cpu_supports("avx512f");
#endif
#if defined(__AVX2__)
  able = able && __builtin_cpu_supports("avx2");
#endif
#if defined(__FMA__)
  able = able && __builtin_cpu_supports("fma");
#endif
  if (!able) {
    throw Error("this program was compiled for " + compiled_instruction_set() +
                ", but the machine has only " + detected_instruction_set() +
                "; build it on this machine, or with the preset 'portable'");
  }
#endif
}

io::Json machine_info() {
  struct ::utsname system {};
  ::uname(&system);
  const double memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                        static_cast<double>(::sysconf(_SC_PAGE_SIZE)) / 1073741824.0;
  return {{"processor", processor_name()},
          {"cores", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"memory_gib", static_cast<double>(static_cast<std::int64_t>(memory * 10 + 0.5)) / 10},
          {"threads", kernels::thread_count()},
          {"instruction_set", detected_instruction_set()},
          {"compiled_for", compiled_instruction_set()},
          {"matrix_library", kernels::DefaultProduct::name},
          {"bf16_products", kernels::has_native_bf16()},
          {"compiler", compiler()},
          {"system", std::string(system.sysname) + " " + system.release + " " + system.machine},
          {"solopo", SOLOPO_VERSION}};
}

std::string version_text() {
  const io::Json info = machine_info();
  const auto text = [&](const char* key) { return info[key].get<std::string>(); };
  return "solopo " SOLOPO_VERSION "\ninstruction set: " + text("instruction_set") + " (compiled for " +
         text("compiled_for") + ")\nmatrix library:  " + text("matrix_library") + "\nbf16 products:   " +
         (kernels::has_native_bf16() ? "yes, with --dtype bf16"
                                     : "not on this machine or not in this build") +
         "\nthreads:         " + std::to_string(kernels::thread_count()) +
         "\nCUDA:            " + (has_device_plugin() ? "built, for --device cuda" : "not built") +
         "\ncompiler:        " + text("compiler");
}

}  // namespace solopo::cli
