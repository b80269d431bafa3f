#include "model/family.h"

#include "core/base/error.h"

namespace edt {

std::int64_t single(const std::vector<std::int64_t>& values, const char* option,
                    const std::string& model) {
  require<UsageError>(values.size() == 1, "model", "{} has {} values, {} takes one", option,
                      values.size(), model);
  return values[0];
}

MaskRange to_range(const std::vector<float>& values, const char* option) {
  require<UsageError>(values.size() == 2, "model", "{} has {} values, two are needed: low,high",
                      option, values.size());
  return {values[0], values[1]};
}

}  // namespace edt
