// `edt data import` as people call it, and what it leaves.
#pragma once

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "tests/data/import/npy_files.h"
#include "tests/support/edt_program.h"

namespace edt::test {

namespace fs = std::filesystem;
using data::test::npy_text;
using data::test::write_bytes;
using data::test::write_npy;

constexpr std::uint64_t kSamples = 12, kPlane = 2 * 2, kClasses = 5;

// Value e of sample i, exact in float16; the second half of moments is positive and small.
inline float value_of(std::uint64_t i, std::uint64_t e) {
  return static_cast<float>(i) - 3 + static_cast<float>(e) / 64;
}
inline float deviation_of(std::uint64_t i, std::uint64_t e) {
  return static_cast<float>(i + 1) / 64 + static_cast<float>(e) / 1024;
}

// Samples first ... first + count - 1 of `channels` channels of 2 x 2.
inline std::vector<float> latents(std::uint64_t first, std::uint64_t count, float sign = 1) {
  std::vector<float> values;
  for (std::uint64_t i = first; i < first + count; ++i) {
    for (std::uint64_t e = 0; e < 4 * kPlane; ++e) values.push_back(sign * value_of(i, e));
  }
  return values;
}

// Mean and what `spread` makes of the deviation.
template <class Spread>
std::vector<float> moments(std::uint64_t first, std::uint64_t count, Spread spread) {
  std::vector<float> values;
  for (std::uint64_t i = first; i < first + count; ++i) {
    for (std::uint64_t e = 0; e < 4 * kPlane; ++e) values.push_back(value_of(i, e));
    for (std::uint64_t e = 0; e < 4 * kPlane; ++e) values.push_back(spread(deviation_of(i, e)));
  }
  return values;
}
inline float as_it_is(float deviation) { return deviation; }

inline std::int64_t label_of(std::uint64_t i) {
  return static_cast<std::int64_t>(i * 2 % kClasses);
}

template <class T = std::int64_t>
std::vector<T> labels(std::uint64_t first, std::uint64_t count) {
  std::vector<T> all;
  for (std::uint64_t i = first; i < first + count; ++i) all.push_back(static_cast<T>(label_of(i)));
  return all;
}

class DataCli : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return directory_ / name; }

  CommandOutcome edt(const std::string& arguments, const std::string& redirection) const {
    return shell("cd " + directory_.path().string() + " && " + edt_program() + " " + arguments +
                 " " + redirection);
  }

  // Imports into "set" what has to be taken.
  void import(const std::string& arguments) {
    fs::remove_all(path("set"));
    const CommandOutcome outcome =
        edt("data import --quiet --dtype float32 --out set --classes 5 " + arguments, "2>&1");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
  }
  // What is odd may be said before what is wrong.
  static std::string without_warnings(const std::string& output) {
    std::string rest;
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
      if (line.find(" warning ") == std::string::npos) rest += line + '\n';
    }
    return rest;
  }
  // The line of one that has to be refused, with status 2 and nothing left.
  std::string refused(const std::string& arguments) {
    fs::remove_all(path("set"));
    const CommandOutcome outcome =
        edt("data import --quiet --out set " + arguments, "2>&1 >/dev/null");
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    const std::string line = without_warnings(outcome.output);
    EXPECT_THAT(line, testing::StartsWith("edt: error: ["));
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    EXPECT_TRUE(!fs::exists(path("set")) || fs::is_empty(path("set")));
    return line;
  }

  std::vector<float> stored(std::uint64_t index, bool flipped = false) const {
    const data::Dataset set(path("set"));
    std::vector<std::byte> scratch;
    std::vector<float> values(set.description().stored_elements());
    set.shards()[0]->read(index, 1, flipped, true, scratch, values);
    return values;
  }
  void expect_labels() const {
    const data::Dataset set(path("set"));
    ASSERT_EQ(set.size(), kSamples);
    for (std::uint64_t i = 0; i < kSamples; ++i) EXPECT_EQ(set.label(i), label_of(i)) << i;
  }
  void expect_latents(bool flipped = false) const {
    expect_labels();
    EXPECT_EQ(data::Dataset(path("set")).description().flipped, flipped);
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      EXPECT_EQ(stored(i), latents(i, 1)) << i;
      if (flipped) {
        EXPECT_EQ(stored(i, true), latents(i, 1, -1)) << i;
      }
    }
  }
  void expect_moments() const {
    expect_labels();
    EXPECT_TRUE(data::Dataset(path("set")).description().moments);
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      EXPECT_THAT(stored(i), testing::Pointwise(testing::FloatNear(1e-6f), moments(i, 1, as_it_is)))
          << i;
    }
  }

  const TempDir directory_;
};

}  // namespace edt::test
