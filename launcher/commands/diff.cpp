// edt diff: where two recorded runs part first.
#include <nlohmann/json.hpp>

#include "core/json/json_text.h"
#include "core/options/options.h"
#include "launcher/commands/table.h"
#include "launcher/diff/report.h"

namespace edt {

int diff(std::span<const std::string> args, CommandContext& context) {
  std::filesystem::path first, second;
  bool as_json = false;
  OptionSet options(
      "diff",
      "Compares what two runs have recorded (run.record-steps) and names the first op, collective "
      "or tensor that differs. They may have other ranks, ZeRO stages, devices, versions and "
      "recompute. Exit status 0 when all is the same, 1 when not.");
  options.add("first", &first, "a run directory, or that of its records").positional().required();
  options.add("second", &second, "the other one").positional().required();
  options.add("json", &as_json, "for scripts");
  if (!read_options(options, args, context)) return kDone;

  const RecordSet a = read_records(first), b = read_records(second);
  const RecordComparison result = compare(a, b);
  if (as_json) {
    context.print("{}\n", dump_json(json_of(result), 2));
  } else {
    context.print("{}", text_of(result));
  }
  return result.difference ? kFailed : kDone;
}

}  // namespace edt
