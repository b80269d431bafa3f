// edt ckpt compare: whether two checkpoints hold the same bits.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "launcher/commands/table.h"
#include "parallel/checkpoint/compare.h"

namespace edt {

int ckpt_compare(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path first, second;
  bool as_json = false;
  OptionSet options(
      "ckpt compare",
      "Compares every weight, moving average, optimizer state and sampler history of "
      "two checkpoints bit by bit, whatever ranks wrote them. Exit status 0 when they "
      "are the same, 1 when not.");
  options.add("first", &first, "a checkpoint, or a run directory: its newest intact one")
      .positional()
      .required();
  options.add("second", &second, "the other one").positional().required();
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;

  const Checkpoint a = find_checkpoint(first), b = find_checkpoint(second);
  context.run_started = true;
  const CheckpointComparison result = compare(a, b);
  if (as_json) {
    context.print("{}\n", dump_json(nlohmann::ordered_json{{"same", result.difference.empty()},
                                                           {"arrays", result.arrays},
                                                           {"extras", result.extras},
                                                           {"values", result.values},
                                                           {"difference", result.difference}},
                                    2));
  } else if (result.difference.empty()) {
    context.print("the same: step {}, {} arrays of {} values in all, {} more\n", a.info().step,
                  result.arrays, result.values, result.extras);
  } else {
    context.print("different: {}\n", result.difference);
  }
  return result.difference.empty() ? kDone : kFailed;
}

}  // namespace edt
