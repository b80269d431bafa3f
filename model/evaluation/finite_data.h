// What a finite set of samples allows to know: its best denoiser, which bounds the loss of every
// network from below, and which samples a picture is nearest to. Rows are compared with all samples
// of the set, which pass by in blocks: memory does not grow with the set. In float64.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/evaluation/features.h"

namespace edt {

// Some samples of the set, as they pass by.
class SampleBlock {
 public:
  // `labels` one for each; `first`: how many samples of the set came before.
  SampleBlock(const Features& samples, std::span<const std::int32_t> labels, std::uint64_t first);
  ~SampleBlock();
  SampleBlock(SampleBlock&&) noexcept;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// x_t = alpha x_0 + sigma noise, sigma above 0.
struct NoiseLevel {
  double alpha = 1, sigma = 0;
};

// The mean of x_0 given x_t where x_0 is any sample with the same probability: no function of x_t
// has a smaller squared error. Each sample counts with exp(-|x_t - alpha x|^2 / (2 sigma^2))
// (Gu et al., "On Memorization in Diffusion Models", arXiv 2310.02664, section 2), which a running
// maximum keeps in range.
class BestDenoiser {
 public:
  // `levels` and `labels` one for each row.
  BestDenoiser(const Features& x_t, std::vector<NoiseLevel> levels,
               std::vector<std::int32_t> labels);
  ~BestDenoiser();
  BestDenoiser(BestDenoiser&&) noexcept;

  // The next samples. The bits depend on where blocks end.
  void add(const SampleBlock& samples);

  // Over all samples, and over those with the label of the row: what a network that is told no
  // class, or the class, could know at best. [rows, width], row after row; NaN where there was no
  // such sample.
  std::vector<double> of_all() const;
  std::vector<double> of_class() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The two samples that each row is nearest to.
struct NearestPair {
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::array<std::uint64_t, 2> sample{kNone, kNone};  // places in the set; kNone: it is smaller
  std::array<double, 2> distance{};                   // over the root of the number of values

  // A picture that is much nearer to one sample than to any other was not made but remembered:
  // three times as near by the test of Yoon et al., 2023, and of arXiv 2310.02664.
  double ratio() const { return distance[1] > 0 ? distance[0] / distance[1] : 1; }
  bool is_copy() const { return sample[1] != kNone && (ratio() < 1. / 3 || distance[0] == 0); }
};

class NearestSamples {
 public:
  explicit NearestSamples(const Features& rows);
  ~NearestSamples();
  NearestSamples(NearestSamples&&) noexcept;

  // The next samples.
  void add(const SampleBlock& samples);
  const std::vector<NearestPair>& pairs() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace edt
