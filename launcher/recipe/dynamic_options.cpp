#include "launcher/recipe/dynamic_options.h"

namespace edt {

void DynamicOptions::declare(OptionSet& options) {
  options
      .add("dynamic.weight", &weight,
           "of the squared distance to the target, beside the denoising loss")
      .above(0)
      .single_precision();
  options
      .add("dynamic.warmup", &warmup,
           "steps until the share that is asked for has come down from all products to the target")
      .at_least(0);
  options
      .add("dynamic.complete-steps", &complete_steps,
           "steps in which a second pass trains the network with all gates open; with "
           "train.masked the masked pass does, in all steps")
      .at_least(0)
      .used_when("train.masked", {"off"});
  options.add("dynamic.tau", &tau, "temperature of the gates' slopes").above(0).single_precision();
}

void DynamicOptions::validate(bool has_gates) const {
  const DynamicOptions none;
  const bool says_more = weight != none.weight || tau != none.tau || warmup != none.warmup ||
                         complete_steps != none.complete_steps;
  require<UsageError>(
      has_gates || !says_more, "options",
      "[dynamic] says how gates are trained, and dynamic.target is not given: there "
      "are none");
}

std::optional<FlopTargetConfig> DynamicOptions::resolve(const ModelConfig& model) const {
  const GateConfig& gates = model.common().gates;
  if (!gates.is_on()) return std::nullopt;
  return FlopTargetConfig{gates.target, weight, tau, warmup};
}

}  // namespace edt
