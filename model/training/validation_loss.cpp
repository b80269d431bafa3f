#include "model/training/validation_loss.h"

#include <algorithm>

#include "core/base/assert.h"

namespace edt {
namespace {

// Of Purpose::kEvaluation, beside those of data/holdout.cpp.
constexpr std::uint32_t kNoise = 0x80000001u;

// The values and copies of the last row, as many as `rows` need.
template <class T>
std::vector<T> filled_up(std::span<const T> values, std::size_t width, std::size_t rows) {
  std::vector<T> all(values.begin(), values.end());
  while (all.size() < rows * width) {
    all.insert(all.end(), values.end() - static_cast<std::ptrdiff_t>(width), values.end());
  }
  return all;
}

}  // namespace

ValidationLoss::ValidationLoss(Model& model, Backend& backend, DType dtype,
                               const DenoisingLossConfig& loss, std::int64_t batch,
                               ParameterOwner* owner)
    : batch_(batch),
      backend_(backend),
      arena_(backend.memory()),
      tape_(backend, arena_, profiler_, dtype),
      objective_(model, backend, {.masked = false, .loss = loss, .judges = true}, batch),
      losses_(backend.memory(),
              objective_.terms().size() * static_cast<std::size_t>(batch) * sizeof(float)) {
  tape_.set_parameter_owner(owner);
}

std::vector<double> ValidationLoss::run(std::uint64_t seed, const ValidationRows& rows) {
  const std::size_t count = rows.labels.size(), all = static_cast<std::size_t>(batch_);
  EDT_ASSERT(0 < count && count <= all);
  const std::vector<float> latents = filled_up(rows.latents, rows.latents.size() / count, all);
  const std::vector<std::int32_t> labels = filled_up(rows.labels, 1, all);
  const std::vector<double> times = filled_up(rows.times, 1, all);
  const std::vector<std::int32_t> noises = filled_up(rows.noises, 1, all);
  const std::vector<float> weights(all, 1.f);
  std::vector<std::vector<float>> arrays;
  for (const std::vector<float>& values : rows.arrays) {
    arrays.push_back(filled_up(std::span(values), values.size() / count, all));
  }
  const std::vector<std::span<const float>> spans(arrays.begin(), arrays.end());
  objective_.prepare({seed, kNoise}, {latents, labels, noises, times, weights, spans});

  const auto& terms = objective_.terms();
  const Tensor losses{
      losses_.data(), {static_cast<std::int64_t>(terms.size()), batch_}, DType::kFloat32};
  objective_.judge(tape_, losses);
  std::vector<float> values(terms.size() * all);
  backend_.download(losses, values.data());
  std::vector<double> sums(count);
  for (std::size_t term = 0; term < terms.size(); ++term) {
    for (std::size_t i = 0; i < count; ++i) {
      sums[i] += terms[term].weight * double{values[term * all + i]};
    }
  }
  return sums;
}

}  // namespace edt
