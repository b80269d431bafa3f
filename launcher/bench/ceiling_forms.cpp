#include "launcher/bench/ceiling_forms.h"

namespace edt {

std::vector<MatmulForm> forward_forms(const std::vector<MatmulUse>& uses, std::int64_t passes) {
  std::vector<MatmulForm> forms;
  for (const MatmulUse& use : uses) {
    forms.push_back({.batch = use.batch,
                     .m = use.m,
                     .n = use.n,
                     .k = use.k,
                     .transposed_b = use.transposed_right,
                     .count = use.count * passes});
  }
  return forms;
}

std::vector<MatmulForm> training_forms(const std::vector<MatmulUse>& uses, std::int64_t passes) {
  std::vector<MatmulForm> forms = forward_forms(uses, passes);
  for (const MatmulUse& use : uses) {
    const std::int64_t count = use.count * passes;
    if (use.input_gradient) {  // dA = dC B^T
      forms.push_back({.batch = use.batch,
                       .m = use.m,
                       .n = use.k,
                       .k = use.n,
                       .transposed_b = !use.transposed_right,
                       .count = count});
    }
    // dB = A^T dC, or its transpose dC^T A where B is stored transposed.
    const bool swap = use.transposed_right;
    forms.push_back({.batch = use.batch,
                     .m = swap ? use.n : use.k,
                     .n = swap ? use.k : use.n,
                     .k = use.m,
                     .transposed_a = true,
                     .count = count});
  }
  return forms;
}

}  // namespace edt
