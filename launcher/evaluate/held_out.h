// How well a model does on samples that it is never trained on, beside as many that it is: at fixed
// times with fixed noise, so that a curve of it shows the weights and not the draws. As MLPerf's
// text-to-image benchmark validates, each sample is looked at in one of eight strata of time, in
// turn; the times are the middles of the strata, as at 0 a diffusion has no loss to speak of.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "data/dataset.h"
#include "data/holdout.h"
#include "model/diffusion/process.h"
#include "model/training/validation_loss.h"
#include "parallel/comm/communicator.h"

namespace edt {

inline constexpr int kTimeStrata = 8;

struct HeldOutLoss {
  using ByTime = std::array<double, kTimeStrata>;  // means, from data to noise
  double held_out = 0, trained = 0;                // means over all strata
  ByTime held_out_by_time{}, trained_by_time{};

  // How much higher it is on samples that are not trained on: 0.05 is 5 %.
  double gap() const { return held_out / trained - 1; }
};

// Losses of at most `batch` rows at a time.
using RowLosses = std::function<std::vector<double>(const ValidationRows& rows)>;

class HeldOutSamples {
 public:
  // `count` of each kind, rounded up to whole rounds of the strata, or as many different pairs of
  // sample and time as there are. Drawn by the seed; the data set outlives it. `arrays`: so many of
  // the first that it reads go to the model.
  HeldOutSamples(const data::Dataset& dataset, const data::Holdout& holdout, std::uint64_t seed,
                 std::int64_t count, const Process& process, std::size_t arrays = 0);

  // Pairs of sample and time that are held out.
  std::int64_t count() const { return static_cast<std::int64_t>(held_.size()); }
  // All ranks call it, each with losses by the same weights; all have the same bits, whatever their
  // number. Every rank asks for as many batches.
  HeldOutLoss loss(const RowLosses& losses, std::int64_t batch, Communicator& ranks) const;

 private:
  // Mean losses by stratum.
  HeldOutLoss::ByTime mean_losses(std::span<const std::uint64_t> samples, const RowLosses& losses,
                                  std::int64_t batch, Communicator& ranks) const;
  std::vector<double> losses_of(std::span<const std::uint64_t> samples, std::size_t first,
                                const RowLosses& losses) const;

  const data::Dataset& dataset_;
  std::uint64_t seed_;
  std::size_t arrays_;
  std::array<double, kTimeStrata> times_{};
  std::vector<std::uint64_t> held_, trained_;  // pair i is at stratum i % 8
};

}  // namespace edt
