#include "device.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <string_view>

#include "solopo/core/config.hpp"
#include "solopo/core/error.hpp"
#include "solopo/kernels/chosen_product.hpp"
#include "solopo/kernels/skinny_product.hpp"
#include "solopo/model/decoder.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

// Beside the program where it was built, in lib/solopo where it was installed.
std::filesystem::path plugin_path() {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path(),
                              beside = folder / device_plugin_file,
                              installed = folder.parent_path() / "lib/solopo" / device_plugin_file;
  return !std::filesystem::exists(beside, error) && std::filesystem::exists(installed, error) ? installed
                                                                                              : beside;
}

const DevicePlugin& load() {
  const std::filesystem::path path = plugin_path();
  if (!has_device_plugin())
    throw Error("--device cuda: this program was built without CUDA (there is no " + path.string() +
                "); build it where the CUDA toolkit 13 is, or leave --device at cpu");
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = ::dlerror();
    throw Error("--device cuda: " + path.string() +
                " cannot be loaded: " + (why ? why : "for no known reason"));
  }
  const auto get = reinterpret_cast<const DevicePlugin* (*)()>(::dlsym(library, device_plugin_symbol));
  const DevicePlugin* const plugin = get ? get() : nullptr;
  if (plugin == nullptr || std::string_view(plugin->version) != SOLOPO_VERSION)
    throw Error("--device cuda: " + path.string() + " is of another version of solopo (" +
                (plugin ? plugin->version : "unknown") + ", this is " SOLOPO_VERSION "); build both again");
  return *plugin;
}

}  // namespace

bool DeviceOptions::is_bf16() const noexcept {
  if (on_cuda()) return storage() == cuda::DeviceStorage::bfloat16;
  return dtype == "bf16";
}

std::string dtype_note(const DeviceOptions& options) {
  if (options.is_bf16())
    return "products: bf16, added in float32; weights and everything else float32 (--dtype f32: all of it)";
  return kernels::has_native_bf16()
             ? "products: float32 (--dtype bf16 is quicker here; it is new)"
             : "products: float32 (bf16 needs a processor with AVX512_BF16 and a build with oneDNN)";
}

int rows_together(const DeviceOptions& options) noexcept {
  return !options.on_cuda() && options.is_bf16() ? 64 : static_cast<int>(kernels::skinny_rows);
}

void check_device(const DeviceOptions& o, const std::function<void(const std::string&)>& problem) {
  constexpr std::array<std::string_view, 2> devices = {"cpu", "cuda"};
  constexpr std::array<std::string_view, 3> dtypes = {"auto", "f32", "bf16"};
  const bool device = one_of("--device", o.device, devices, problem),
             dtype = one_of("--dtype", o.dtype, dtypes, problem);
  if (!device || !dtype) return;
  if (o.on_cuda()) return;
  if (o.is_bf16() && !kernels::has_native_bf16())
    problem(
        "--dtype: bf16 on the CPU needs a processor with AVX512_BF16 and a build with oneDNN; use f32 or "
        "auto");
  if (!o.deterministic)
    problem("--no-deterministic: needs --device cuda; on the CPU every run gives the same bits");
}

bool has_device_plugin() {
  std::error_code error;
  return std::filesystem::exists(plugin_path(), error);
}

const DevicePlugin& device_plugin() {
  static const DevicePlugin& loaded = load();
  return loaded;
}

void require_device(const DeviceOptions& where) {
  if (where.on_cuda()) (void)device_plugin().info();
  if (!where.on_cuda()) kernels::ChosenProduct::choose(where.is_bf16());
}

AnyDecoder make_decoder(const LlamaWeights<float>& weights, const DeviceOptions& where) {
  if (where.on_cuda()) return AnyDecoder(device_plugin().open_decoder(weights, where.storage()));
  return AnyDecoder(std::make_unique<ErasedDecoderEngine<CpuDecoderEngine<kernels::ChosenProduct>>>(weights));
}

}  // namespace solopo::cli
