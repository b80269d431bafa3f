// Noised samples and generated pictures beside every sample that a model was trained on.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "launcher/memorisation/draws.h"
#include "model/evaluation/finite_data.h"
#include "model/sampling/forward_pass.h"
#include "parallel/comm/communicator.h"

namespace edt {

// What a run has seen of a data set, one sample behind the other; a mirror image is a sample too.
class TrainedSamples {
 public:
  // `places`: those of the data set that were trained on.
  TrainedSamples(const data::Dataset& dataset, std::vector<std::uint64_t> places, bool flipped)
      : dataset_(dataset), places_(std::move(places)), flipped_(flipped) {}

  const data::Dataset& dataset() const { return dataset_; }
  const std::vector<std::uint64_t>& places() const { return places_; }
  bool flipped() const { return flipped_; }
  std::uint64_t size() const { return places_.size() * (flipped_ ? 2 : 1); }
  data::SampleRef at(std::uint64_t i) const {
    return {.index = places_[flipped_ ? i / 2 : i], .flipped = flipped_ && i % 2 == 1};
  }

 private:
  const data::Dataset& dataset_;
  std::vector<std::uint64_t> places_;
  bool flipped_;
};

// Mean squares of the difference between what the network should have given and what it gave, or
// what the best denoiser of the samples would: of its class, or of all.
struct DrawLoss {
  double loss = 0, floor_of_class = 0, floor = 0;
};

struct Comparison {
  std::vector<DrawLoss> draws;
  std::vector<NearestPair> pictures;  // places among the seen samples
};

struct ComparisonInputs {
  const Process& process;
  std::vector<double> levels;
  std::vector<Draw> draws;
  std::uint64_t seed = 0;
  std::span<const float> pictures;  // latents, the same on all ranks
  bool floors = true;               // else the losses of the network alone
  bool of_noise = false;   // losses of what the prediction says of the noise, whatever it is of
  std::int64_t batch = 8;  // rows that the network sees together
  // On the first rank: samples passed so far.
  std::function<void(std::uint64_t)> progress;
};

// All ranks call it: each takes every size()-th tile of rows, with all samples, so that no figure
// depends on their number. The result is that of the first rank.
Comparison compare(const TrainedSamples& seen, const ComparisonInputs& inputs, ForwardPass& network,
                   Communicator& ranks);

// The losses of the network alone, as for held-out samples.
std::vector<double> losses_at(const data::Dataset& dataset, const ComparisonInputs& inputs,
                              ForwardPass& network, Communicator& ranks);

}  // namespace edt
