#include "merge.hpp"

#include <fmt/format.h>

#include <ostream>
#include <system_error>

#include "solopo/model/language_model.hpp"
#include "usage_error.hpp"

namespace solopo::cli {

void run_merge(const MergeOptions& options, const Console& console) {
  std::error_code not_there;
  for (const auto& folder : {options.model, options.adapter})
    if (std::filesystem::equivalent(options.out, folder, not_there))
      throw UsageError(
          fmt::format("--out: {} is what is merged; choose another folder", options.out.string()));
  save_model(options.out, load_model(options.model, options.adapter));
  console.log << fmt::format("{} and {} merged; model in {}\n", options.model.string(),
                             options.adapter.string(), options.out.string());
}

}  // namespace solopo::cli
