#include "launcher/diff/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/record/hooked_backend.h"
#include "core/storage/checksum.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 5> kKindWords{"samples", "op", "collective", "gradient",
                                                "weights"};

// "linear_forward of blocks.0.attn.qkv.weight"
std::string name_of_call(const RecordedCall& call) {
  switch (call.kind) {
    case CallKind::kSamples:
      return "the samples";
    case CallKind::kKernel:
      return call.of.empty() ? call.name : fmt::format("{} of {}", call.name, call.of);
    case CallKind::kCollective:
      return fmt::format("{} of \"{}\" in \"{}\"", call.name, call.of, call.group);
    case CallKind::kGradient:
      return "the summed gradient of " + call.of;
    case CallKind::kWeights:
      return "the updated " + call.of;
  }
  return {};
}

std::string ordinal(std::int64_t number) {
  const std::int64_t last = number % 10, teens = number / 10 % 10;
  const char* const end = teens == 1  ? "th"
                          : last == 1 ? "st"
                          : last == 2 ? "nd"
                          : last == 3 ? "rd"
                                      : "th";
  return fmt::format("{}{}", number, end);
}

// Which of those alike it is, and behind what, as calls without a parameter look the same.
std::string which(const Difference& found) {
  const RecordedCall& call = found.call;
  if (call.kind != CallKind::kKernel && call.kind != CallKind::kCollective) return {};
  std::string text = fmt::format("the {} of the {}", ordinal(call.count + 1),
                                 call.kind == CallKind::kKernel ? "micro-batch" : "step");
  if (call.again) text += ", recomputed";
  if (call.of.empty() && !found.behind.empty()) text += ", behind " + found.behind;
  return text;
}

std::string ranks_text(const Difference& found) {
  const auto [a, b] = found.ranks;
  if (b < 0) return fmt::format("rank {} of A; B has no such call", a);
  if (a < 0) return fmt::format("rank {} of B; A has no such call", b);
  return fmt::format("rank {} of A and rank {} of B", a, b);
}

// "output 1, gradient of blocks.0.attn.qkv.weight"
std::string name_of_tensor(const Difference& found, const RecordedTensor& tensor) {
  switch (found.call.kind) {
    case CallKind::kSamples:
      return tensor.place == 0   ? "latents"
             : tensor.place == 1 ? "labels"
                                 : fmt::format("array {}", tensor.place - 1);
    case CallKind::kKernel: {
      const std::int64_t argument = tensor.place / KernelOperand::kPlaces + 1;
      return fmt::format("argument {}, {}{}", argument, found.is_read ? "read" : "written",
                         tensor.name.empty() ? "" : ": " + tensor.name);
    }
    case CallKind::kCollective:
      return fmt::format("{} {}", found.is_read ? "given" : "result", tensor.place + 1);
    default:
      return tensor.name;
  }
}

std::string text_of(const RecordedTensor& tensor) {
  return fmt::format("{} {}", to_string(tensor.shape), name_of(tensor.dtype));
}

std::string tensor_text(const Difference& found) {
  const RecordedTensor &a = *found.tensors[0], &b = *found.tensors[1];
  const std::string name = name_of_tensor(found, a);
  if (a.shape == b.shape && a.dtype == b.dtype) {
    return fmt::format("{}, {}: {} and {}", name, text_of(a), checksum_text(a.hash),
                       checksum_text(b.hash));
  }
  return fmt::format("{}: {} and {}", name, text_of(a), text_of(b));
}

// [row, column, ...] of an element.
std::string index_text(const Shape& shape, std::int64_t at) {
  std::string text;
  for (int i = shape.rank(); i-- > 0;) {
    text = fmt::format("{}{}{}", at % shape[i], text.empty() ? "" : ", ", text);
    at /= shape[i];
  }
  return "[" + text + "]";
}

std::string largest_text(const Difference& found) {
  const LargestDifference& largest = *found.largest;
  return fmt::format("{:.6g} at {}: {:.9g} and {:.9g}; {} of {} elements differ",
                     largest.difference, index_text(found.tensors[0]->shape, largest.at),
                     largest.values[0], largest.values[1], largest.different, largest.of);
}

// What is known of the cause.
std::string cause_text(const Difference& found) {
  if (!found.tensors[0]) return {};
  switch (found.call.kind) {
    case CallKind::kSamples:
      return {};
    case CallKind::kKernel:
    case CallKind::kCollective:
      return found.is_read
                 ? "all that was recorded before is equal: it was not there yet when it was read, "
                   "or overwritten"
                 : "all that it read is equal";
    case CallKind::kGradient:
      return "all kernels' results are equal: it was summed otherwise";
    case CallKind::kWeights:
      return "the gradients are equal: weights or optimizer state were others, or the update is";
  }
  return {};
}

void add_line(std::string& text, std::string_view name, std::string_view what) {
  if (!what.empty()) text += fmt::format("  {:<9} {}\n", name, what);
}

std::string text_of(const Difference& found) {
  const bool is_of_step = found.call.micro_batch < 0;
  std::string text =
      fmt::format("different: {}, step {}{}\n", name_of_call(found.call), found.step,
                  is_of_step ? "" : fmt::format(", micro-batch {}", found.call.micro_batch));
  add_line(text, "call", which(found));
  add_line(text, "ranks", ranks_text(found));
  if (found.details[0] != found.details[1]) {
    add_line(text, "samples", fmt::format("{} in A, {} in B", found.details[0], found.details[1]));
  }
  if (!found.tensors[0]) return text;
  add_line(text, "tensor", tensor_text(found));
  add_line(text, "cause", cause_text(found));
  if (found.largest) {
    add_line(text, "largest", largest_text(found));
  } else if (found.tensors[0]->shape == found.tensors[1]->shape) {
    add_line(text, "values",
             fmt::format("record both again with --run.record-values '{}'",
                         place_of(found.call, found.step)));
  }
  return text;
}

std::string steps_text(const std::vector<std::int64_t>& steps) {
  return steps.size() == 1
             ? fmt::format("step {}", steps.front())
             : fmt::format("{} steps from {} to {}", steps.size(), steps.front(), steps.back());
}

Json json_of(const Difference& found) {
  const auto nothing_or = [](bool has, Json value) { return has ? std::move(value) : Json(); };
  const RecordedCall& call = found.call;
  Json json{{"step", found.step},
            {"micro_batch", nothing_or(call.micro_batch >= 0, call.micro_batch)},
            {"kind", kKindWords[static_cast<std::size_t>(call.kind)]},
            {"call", nothing_or(!call.name.empty(), call.name)},
            {"of", nothing_or(!call.of.empty(), call.of)},
            {"count", call.count},
            {"behind", nothing_or(!found.behind.empty(), found.behind)},
            {"place", place_of(call, found.step)},
            {"ranks",
             {nothing_or(found.ranks[0] >= 0, found.ranks[0]),
              nothing_or(found.ranks[1] >= 0, found.ranks[1])}}};
  if (call.kind == CallKind::kSamples) json["samples"] = {found.details[0], found.details[1]};
  if (!found.tensors[0]) return json;
  const RecordedTensor &a = *found.tensors[0], &b = *found.tensors[1];
  json["tensor"] = name_of_tensor(found, a);
  json["read"] = found.is_read;
  json["shapes"] = {to_string(a.shape), to_string(b.shape)};
  json["types"] = {name_of(a.dtype), name_of(b.dtype)};
  json["hashes"] = {checksum_text(a.hash), checksum_text(b.hash)};
  if (const auto& largest = found.largest) {
    json["largest_difference"] =
        Json{{"difference", nothing_or(std::isfinite(largest->difference), largest->difference)},
             {"at", index_text(a.shape, largest->at)},
             {"values", {largest->values[0], largest->values[1]}},
             {"elements", largest->different},
             {"of", largest->of}};
  }
  return json;
}

}  // namespace

std::string text_of(const RecordComparison& comparison) {
  if (comparison.difference) {
    std::string text = text_of(*comparison.difference);
    add_line(text, "note", comparison.outside);
    return text;
  }
  std::string text = fmt::format("the same: {}, {} calls, {} gradients, {} updated tensors\n",
                                 steps_text(comparison.steps), comparison.calls,
                                 comparison.gradients, comparison.weights);
  if (!comparison.left_out.empty()) add_line(text, "left out", comparison.left_out);
  return text;
}

Json json_of(const RecordComparison& comparison) {
  return {{"same", !comparison.difference.has_value()},
          {"steps", comparison.steps},
          {"calls", comparison.calls},
          {"gradients", comparison.gradients},
          {"weights", comparison.weights},
          {"left_out", comparison.left_out},
          {"outside_promise", comparison.outside},
          {"difference", comparison.difference ? json_of(*comparison.difference) : Json()}};
}

}  // namespace edt
