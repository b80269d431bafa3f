#include "launcher/recipe/prune_options.h"

#include <algorithm>

#include "model/plan/gemms.h"

namespace edt {
namespace {

std::string broken_units(const std::vector<std::string>& units) {
  if (units.empty()) return "heads, hidden or both";
  return units.size() == 2 && units[0] == units[1] ? "a list in which " + units[0] + " stands once"
                                                   : "";
}

bool says_more(const PruneOptions& options) {
  const PruneOptions none;
  return options.units != none.units || options.form != none.form ||
         options.course != none.course || options.weight != none.weight ||
         options.speed != none.speed || options.decided_by != none.decided_by ||
         options.frozen != none.frozen || options.least != none.least ||
         options.head_multiple != none.head_multiple ||
         options.hidden_multiple != none.hidden_multiple;
}

}  // namespace

void PruneOptions::declare(OptionSet& options) {
  options.section("prune", "Pruning: masks that learn which units a network can do without (DMAD)");
  options
      .add("prune.target", &target,
           "share of the products of a forward pass that is left; masks train until then, and edt "
           "prune cuts the network; 0: no masks")
      .alias("target")
      .range(0, 1);
  options.add("prune.units", &units, "what may be lost: heads of attention, hidden units of MLPs")
      .choices({"heads", "hidden"})
      .check([this] { return broken_units(units); });
  options.add("prune.sparsity", &form,
              {{"relu", SparsityForm::kRelu},
               {"bound", SparsityForm::kBound},
               {"uprelu", SparsityForm::kUprelu}},
              "what pulls the weights of masks down, within the bound d: w + d, the l2 norm of d - "
              "|w|, or d - w, which pulls them up");
  options
      .add("prune.sparsity-weight", &weight,
           "of that loss beside the denoising loss; a unit counts with its share of the products")
      .above(0)
      .single_precision();
  options.add("prune.bounds", &course,
              {{"cube", BoundCourse::kCube},
               {"square", BoundCourse::kSquare},
               {"late", BoundCourse::kLate}},
              "how the bound falls, after a share s of the steps: 1 - s^(1/3), 1 - s^(1/2), as "
              "published, or 1 - s^2, for networks that are trained already");
  options.add("prune.decided-by", &decided_by, "step at which the bound is down and all is decided")
      .at_least(1);
  options
      .add("prune.speed", &speed,
           "first bounds that a mask's weight could go until then, in steps of the learning rate: "
           "says how large the first bound is")
      .range(1e-3, 1e6);
  options
      .add("prune.frozen", &frozen,
           "share of a layer's units that are gone, beyond which the others stay")
      .range(0, 1);
  options.add("prune.least", &least, "share of a layer's units that stays at the least")
      .range(0, 1);
  options
      .add("prune.head-multiple", &head_multiple,
           "of the heads that a block keeps: the tensor ranks to come")
      .range(1, 4096);
  options.add("prune.hidden-multiple", &hidden_multiple, "of the hidden units that a block keeps")
      .range(1, 65536);
}

void PruneOptions::validate() const {
  require<UsageError>(target > 0 || !says_more(*this), "options",
                      "[prune] says how to prune, and prune.target is {}: a share of the products "
                      "above 0",
                      target);
}

bool PruneOptions::prunes(std::string_view kind) const {
  return std::ranges::find(units, kind) != units.end();
}

// A step moves a weight by about the learning rate, so that the first bound is that many steps of
// it.
std::optional<SparsityConfig> PruneOptions::resolve(const ModelConfig& model,
                                                    const OptimizerOptions& optimizer) const {
  if (target == 0) return std::nullopt;
  SparsityConfig config{
      .rules = {.target = target,
                .frozen = frozen,
                .least = least,
                .head_multiple = head_multiple,
                .hidden_multiple = hidden_multiple,
                .course = course,
                .first_bound = optimizer.rate.initial * static_cast<double>(decided_by) / speed},
      .heads = prunes("heads"),
      .hidden = prunes("hidden"),
      .form = form,
      .weight = weight,
      .decided_by = decided_by};
  check_prunable(model, config.masks(), fmt::format("prune.target is {}", target));
  config.macs = total_macs(forward_gemms(model, 1));
  return config;
}

}  // namespace edt
