#include "model/plan/recorder.h"

#include <fmt/format.h>

#include <algorithm>

namespace edt {
namespace {

constexpr std::int64_t kUndefined = -1;

std::string_view short_name(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "f32";
    case DType::kBFloat16:
      return "bf16";
    case DType::kFloat64:
      return "f64";
    case DType::kInt32:
      return "i32";
  }
  return "?";
}

}  // namespace

void KernelKey::add(const Tensor& tensor) {
  if (!tensor.defined()) return add(kUndefined);
  add(static_cast<std::int64_t>(tensor.dtype) * 16 + tensor.shape.rank());
  for (int i = 0; i < tensor.shape.rank(); ++i) add(tensor.shape[i]);
  bytes_ += static_cast<double>(tensor.bytes());
}

void KernelKey::add(const GradTarget& target) {
  add(target.tensor);
  add(std::int64_t{target.accumulate});
  if (target.accumulate) bytes_ += static_cast<double>(target.tensor.bytes());
}

void KernelKey::add(const Columns& columns) {
  if (!columns.tensor.defined()) return add(kUndefined);
  add(columns.tensor.shape[0]);
  add(columns.width);
  bytes_ += static_cast<double>(columns.tensor.shape[0] * columns.width) *
            static_cast<double>(size_of(columns.tensor.dtype));
}

std::string KernelKey::text() const {
  std::string text;
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ":", numbers_[i]);
  }
  return text;
}

std::size_t Recorder::Hash::operator()(const std::vector<std::int64_t>& numbers) const {
  std::size_t hash = 1469598103934665603u;
  for (const std::int64_t number : numbers) {
    hash = (hash ^ static_cast<std::size_t>(number)) * 1099511628211u;
  }
  return hash ^ (hash >> 29);
}

void Recorder::add(TraceEvent::Type type, std::size_t index, std::uint64_t ticket) {
  if (recording_) trace_.events.push_back({type, static_cast<std::uint32_t>(index), ticket});
}

Kernel* Recorder::kernel(std::string_view name, KernelClass kind, DType dtype, const KernelKey& key,
                         Replay replay) {
  if (!recording_) return nullptr;
  std::vector<std::int64_t> id = key.numbers();
  id.push_back(static_cast<std::int64_t>(std::hash<std::string_view>{}(name)));
  const auto [found, is_new] =
      kernel_index_.emplace(std::move(id), static_cast<std::uint32_t>(trace_.kernels.size()));
  add(TraceEvent::Type::kKernel, found->second);
  if (keep_replays_) trace_.replays.push_back(std::move(replay));
  if (!is_new) return nullptr;
  trace_.kernels.push_back({.name = std::string(name),
                            .key = fmt::format("{} {} {}", name, short_name(dtype), key.text()),
                            .kind = kind,
                            .dtype = dtype,
                            .bytes = key.bytes(),
                            .gemms = {}});
  return &trace_.kernels.back();
}

void Recorder::collective(const PlannedCollective& collective) {
  if (!recording_) return;
  auto& all = trace_.collectives;
  auto found = std::ranges::find(all, collective);
  if (found == all.end()) found = all.insert(all.end(), collective);
  add(TraceEvent::Type::kCollective, static_cast<std::size_t>(found - all.begin()));
}

void Recorder::clear() {
  trace_.events.clear();
  trace_.replays.clear();
}

}  // namespace edt
