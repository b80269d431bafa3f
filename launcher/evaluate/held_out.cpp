#include "launcher/evaluate/held_out.h"

#include <algorithm>
#include <numeric>

#include "core/random/permutation.h"

namespace edt {
namespace {

// Of Purpose::kEvaluation, beside those of data/holdout.cpp and model/training/validation_loss.cpp.
constexpr std::uint32_t kWhichAreLookedAt = 0x80000002u;
enum Kind : std::uint32_t { kHeld, kTrained };

// Places among `samples`, one for each pair. Pair i has stratum i % 8, and no two pairs are alike:
// i and its stratum meet again after the least common multiple, and the places move on by one then.
std::vector<std::uint64_t> drawn_places(std::uint64_t seed, Kind kind, std::uint64_t samples,
                                        std::uint64_t pairs) {
  const random::Permutation order(
      {seed, random::Purpose::kEvaluation, kWhichAreLookedAt, static_cast<std::uint32_t>(kind)},
      samples);
  const std::uint64_t round = std::lcm(std::uint64_t{kTimeStrata}, samples);
  std::vector<std::uint64_t> places(pairs);
  for (std::uint64_t i = 0; i < pairs; ++i) places[i] = order((i + i / round) % samples);
  return places;
}

double mean_of(const HeldOutLoss::ByTime& losses) {
  return std::accumulate(losses.begin(), losses.end(), 0.0) / kTimeStrata;
}

}  // namespace

HeldOutSamples::HeldOutSamples(const data::Dataset& dataset, const data::Holdout& holdout,
                               std::uint64_t seed, std::int64_t count, const Process& process)
    : dataset_(dataset), seed_(seed) {
  for (int s = 0; s < kTimeStrata; ++s) {
    const double middle = (s + 0.5) / kTimeStrata;
    times_[static_cast<std::size_t>(s)] =
        process.steps() == 0 ? middle
                             : process.time_of(static_cast<std::int32_t>(middle * process.steps()));
  }
  const std::uint64_t held = holdout.held().size(), trained = dataset.size() - held;
  EDT_ASSERT(held > 0 && trained > 0);
  const std::uint64_t rounds = (static_cast<std::uint64_t>(count) + kTimeStrata - 1) / kTimeStrata;
  const std::uint64_t pairs = kTimeStrata * std::min({rounds, held, trained});
  for (const std::uint64_t place : drawn_places(seed, kHeld, held, pairs)) {
    held_.push_back(holdout.held()[place]);
  }
  for (const std::uint64_t place : drawn_places(seed, kTrained, trained, pairs)) {
    trained_.push_back(holdout.trained(place));
  }
}

HeldOutLoss HeldOutSamples::loss(const RowLosses& losses, std::int64_t batch,
                                 Communicator& ranks) const {
  HeldOutLoss loss;
  loss.held_out_by_time = mean_losses(held_, losses, batch, ranks);
  loss.trained_by_time = mean_losses(trained_, losses, batch, ranks);
  loss.held_out = mean_of(loss.held_out_by_time);
  loss.trained = mean_of(loss.trained_by_time);
  return loss;
}

// Each loss is zero on all ranks but one: the sum has its bits, and it is added up in one order.
HeldOutLoss::ByTime HeldOutSamples::mean_losses(std::span<const std::uint64_t> samples,
                                                const RowLosses& losses, std::int64_t batch,
                                                Communicator& ranks) const {
  std::vector<double> all(samples.size());
  const auto size = static_cast<std::size_t>(batch);
  const std::size_t batches = (samples.size() + size - 1) / size;
  const auto rank = static_cast<std::size_t>(ranks.rank());
  for (std::size_t round = 0; round < batches; round += static_cast<std::size_t>(ranks.size())) {
    // Who has none left takes part in what a forward pass gathers.
    const bool counts = round + rank < batches;
    const std::size_t first = size * std::min(round + rank, batches - 1);
    const auto some = samples.subspan(first, std::min(size, samples.size() - first));
    const std::vector<double> values = losses_of(some, first, losses);
    if (counts) std::ranges::copy(values, all.begin() + static_cast<std::ptrdiff_t>(first));
  }
  ranks.all_reduce(view_of(std::span(all), {static_cast<std::int64_t>(all.size())}), Reduce::kSum,
                   "held-out losses");
  HeldOutLoss::ByTime means{};
  for (std::size_t i = 0; i < all.size(); ++i) means[i % kTimeStrata] += all[i];
  const std::size_t of_each = all.size() / kTimeStrata;
  for (double& mean : means) mean /= static_cast<double>(of_each);
  return means;
}

std::vector<double> HeldOutSamples::losses_of(std::span<const std::uint64_t> samples,
                                              std::size_t first, const RowLosses& losses) const {
  std::vector<data::SampleRef> refs;
  std::vector<double> times;
  std::vector<std::int32_t> labels(samples.size()), noises;
  for (const std::uint64_t sample : samples) {
    const std::size_t pair = first + refs.size();
    times.push_back(times_[pair % kTimeStrata]);
    noises.push_back(static_cast<std::int32_t>(pair));
    refs.push_back({.index = sample});
  }
  std::vector<float> latents(samples.size() * dataset_.description().latent_elements());
  data::ReadScratch scratch;
  dataset_.read(refs, seed_, scratch, latents, labels);
  std::vector<std::vector<float>> arrays;
  for (std::size_t i = 0; i < dataset_.arrays().size(); ++i) {
    arrays.emplace_back(samples.size() * dataset_.arrays()[i].elements);
    dataset_.read_array(i, refs, scratch, arrays.back());
  }
  return losses({latents, labels, times, noises, arrays});
}

}  // namespace edt
