#include "core/record/record.h"

#include <charconv>

#include "core/base/error.h"

namespace edt {

std::string place_of(const RecordedCall& call, std::int64_t step) {
  switch (call.kind) {
    case CallKind::kSamples:
      return fmt::format("{}/{}/samples", step, call.micro_batch);
    case CallKind::kKernel:
      return fmt::format("{}/{}/{}/{}/{}{}", step, call.micro_batch, call.name, call.of, call.count,
                         call.again ? "/again" : "");
    case CallKind::kCollective:
      return fmt::format("{}/{}/{}/{}/{}", step, call.group, call.name, call.of, call.count);
    case CallKind::kGradient:
      return fmt::format("{}/gradient/{}", step, call.of);
    case CallKind::kWeights:
      return fmt::format("{}/weights/{}", step, call.of);
  }
  return {};
}

RecordedSteps parse_recorded_steps(std::string_view text, std::string_view option) {
  RecordedSteps steps;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, steps.first);
  steps.last = steps.first;
  auto last = first;
  if (std::string_view(first.ptr, end).starts_with("..")) {
    last = std::from_chars(first.ptr + 2, end, steps.last);
  }
  const bool is_range = first.ec == std::errc() && last.ec == std::errc() && last.ptr == end &&
                        steps.first >= 1 && steps.last >= steps.first;
  require<UsageError>(is_range, "options", "{} is '{}', must be FIRST..LAST, steps of the run",
                      option, text);
  return steps;
}

}  // namespace edt
