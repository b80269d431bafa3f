// The best denoiser of a finite data set, its loss floor, and nearest samples, against the optimal
// denoiser of DiffMemorize (sail-sg, MIT) moved to this project's noise, in float64.
#include "model/evaluation/finite_data.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/diffusion/process.h"
#include "tests/golden/golden_file.h"

namespace edt::test {
namespace {

class FiniteData : public testing::TestWithParam<std::string> {
 protected:
  struct Samples {
    std::vector<float> values;
    std::vector<std::int32_t> labels;
    std::int64_t width;
  };

  Samples data_set() const {
    const auto shape = golden_.shape("inputs/dataset");
    const auto labels = golden_.read<std::int64_t>("inputs/labels");
    return {golden_.read<float>("inputs/dataset"),
            {labels.begin(), labels.end()},
            shape[1] * shape[2] * shape[3]};
  }

  // In blocks of `rows`.
  template <class Sink>
  static void pass(const Samples& all, std::int64_t rows, Sink& sink) {
    const Features features{all.values, all.width};
    for (std::int64_t begin = 0; begin < features.count(); begin += rows) {
      const std::int64_t end = std::min(features.count(), begin + rows);
      const auto labels =
          std::span(all.labels)
              .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
      sink.add(SampleBlock(features.rows(begin, end), labels, static_cast<std::uint64_t>(begin)));
    }
  }

  const GoldenFile golden_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Golden, FiniteData,
                         testing::ValuesIn(golden_models("memorisation", "evaluation")),
                         [](const auto& file) {
                           return std::filesystem::path(file.param).stem().string();
                         });

// Expected values are float32.
TEST_P(FiniteData, BestDenoiserAndFloorsAreThePublishedOnes) {
  const Samples data = data_set();
  const auto x_t = golden_.read<float>("expected/x_t"), noise = golden_.read<float>("inputs/noise");
  const auto picked = golden_.read<std::int64_t>("inputs/picked"),
             t = golden_.read<std::int64_t>("inputs/t");
  const Process process{ProcessConfig{}};
  std::vector<NoiseLevel> levels;
  std::vector<std::int32_t> labels;
  for (std::size_t i = 0; i < t.size(); ++i) {
    const PathPoint p = process.at(process.time_of(static_cast<std::int32_t>(t[i])));
    levels.push_back({p.alpha, p.sigma});
    labels.push_back(data.labels[static_cast<std::size_t>(picked[i])]);
  }
  for (const std::int64_t rows : {12, 5, 1}) {
    BestDenoiser best({x_t, data.width}, levels, labels);
    pass(data, rows, best);
    const auto check = [&](const std::vector<double>& x0, const std::string& suffix) {
      const auto expected = golden_.read<float>("expected/best_x0" + suffix),
                 expected_noise = golden_.read<float>("expected/best_noise" + suffix),
                 floors = golden_.read<float>("expected/floor" + suffix);
      ASSERT_EQ(x0.size(), expected.size());
      const auto width = static_cast<std::size_t>(data.width);
      for (std::size_t i = 0; i < floors.size(); ++i) {
        double floor = 0;
        for (std::size_t k = i * width; k < (i + 1) * width; ++k) {
          EXPECT_NEAR(x0[k], expected[k], 3e-6) << suffix << " row " << i << " blocks " << rows;
          const double e = (double{x_t[k]} - levels[i].alpha * x0[k]) / levels[i].sigma;
          EXPECT_NEAR(e, expected_noise[k], 1e-5) << suffix << " row " << i;
          floor += (noise[k] - e) * (noise[k] - e) / static_cast<double>(width);
        }
        EXPECT_NEAR(floor, floors[i], 1e-6) << suffix << " row " << i << " blocks " << rows;
      }
    };
    check(best.of_all(), "");
    check(best.of_class(), "_of_class");
  }
}

TEST_P(FiniteData, NearestSamplesAreThePublishedOnes) {
  const Samples data = data_set();
  const auto generated = golden_.read<float>("inputs/generated");
  const auto distances = golden_.read<float>("expected/nearest_distance"),
             ratios = golden_.read<float>("expected/ratio");
  const auto indices = golden_.read<std::int64_t>("expected/nearest_index"),
             copies = golden_.read<std::int64_t>("expected/memorised");
  for (const std::int64_t rows : {12, 5, 1}) {
    NearestSamples nearest({generated, data.width});
    pass(data, rows, nearest);
    const auto& pairs = nearest.pairs();
    ASSERT_EQ(pairs.size(), ratios.size());
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      for (const std::size_t k : {0u, 1u}) {
        EXPECT_NEAR(pairs[i].distance[k], distances[2 * i + k], 1e-6) << i;
      }
      if (distances[2 * i] != distances[2 * i + 1]) {
        EXPECT_EQ(pairs[i].sample[0], static_cast<std::uint64_t>(indices[2 * i])) << i;
        EXPECT_EQ(pairs[i].sample[1], static_cast<std::uint64_t>(indices[2 * i + 1])) << i;
      }
      EXPECT_NEAR(pairs[i].ratio(), ratios[i], 1e-5) << i;
      EXPECT_EQ(pairs[i].is_copy(), copies[i] != 0) << i;
    }
  }
}

}  // namespace
}  // namespace edt::test
