// `edt data import --length`: sequences of any lengths, whatever they lie in.
#include <cmath>

#include "tests/launcher/sequences/sequence_runs.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

// Frame i of sequence n has the numbers 100 n + i and -i.
Numbers sequence(int n, std::uint64_t frames) {
  Numbers values;
  for (std::uint64_t i = 0; i < frames; ++i) {
    values.push_back(static_cast<float>(100 * n) + static_cast<float>(i));
    values.push_back(-static_cast<float>(i));
  }
  return values;
}

// What is known of that frame.
Numbers conditions(int n, std::uint64_t frames) {
  Numbers values;
  for (std::uint64_t i = 0; i < frames; ++i) values.push_back(static_cast<float>(n * 1000 + i));
  return values;
}

class SequenceImport : public SequenceRuns {
 protected:
  // Three sequences of 10 frames, of which 10, 7 and 9 count.
  void write_three(const std::string& name, bool with_lengths) const {
    Numbers values, frames;
    for (const int n : {0, 1, 2}) {
      for (const float value : sequence(n, 10)) values.push_back(value);
      for (const float value : conditions(n, 10)) frames.push_back(value);
    }
    const std::vector<std::int32_t> labels{2, 0, 1}, lengths{10, 7, 9};
    std::vector<NpzArray> arrays{{"sequences", {3, 10, 2}, std::span<const float>(values)},
                                 {"labels", {3}, std::span<const std::int32_t>(labels)},
                                 {"frames", {3, 10, 1}, std::span<const float>(frames)}};
    if (with_lengths) {
      arrays.push_back({"lengths", {3}, std::span<const std::int32_t>(lengths)});
    }
    write_npz(path(name), arrays);
  }
  std::vector<std::string> import(const std::string& from, const std::vector<std::string>& more) {
    std::filesystem::remove_all(path("set"));
    std::vector<std::string> args{"data", "import", path(from), path("set"), "--quiet", "on"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  // Window of the set: sequence, first frame and label.
  void expect_window(std::uint64_t index, int n, std::uint64_t start, std::int32_t label) const {
    const data::Dataset set(path("set"));
    const auto length = static_cast<std::uint64_t>(set.description().width);
    const Numbers values = stored("set", index), frames = frames_of("set", index);
    for (std::uint64_t i = 0; i < length; ++i) {
      const auto at = static_cast<float>(start + i);
      EXPECT_EQ(values[i], static_cast<float>(100 * n) + at);
      EXPECT_EQ(values[length + i], -at);
      EXPECT_EQ(frames[i], static_cast<float>(1000 * n) + at);
    }
    EXPECT_EQ(set.label(index), label);
  }
};

TEST_F(SequenceImport, WholeSequences) {
  write_three("a.npz", false);
  done(import("a.npz", {"--length", "10", "--classes", "3"}));
  ASSERT_EQ(data::Dataset(path("set")).size(), 3u);
  expect_window(1, 1, 0, 0);
  const data::Dataset set(path("set"));
  EXPECT_NEAR(set.description().channel_mean[1], -4.5, 1e-6);
  EXPECT_EQ(set.description().type, h5::Type::kFloat32);
}

TEST_F(SequenceImport, WindowsOfSequencesOfSeveralLengths) {
  write_three("a.npz", true);
  done(import("a.npz",
              {"--length", "4", "--cut", "windows", "--window-step", "3", "--classes", "3"}));
  ASSERT_EQ(data::Dataset(path("set")).size(), 3u + 2 + 2);
  expect_window(0, 0, 0, 2);
  expect_window(2, 0, 6, 2);
  expect_window(4, 1, 3, 0);
  expect_window(6, 2, 3, 1);
  done(import("a.npz", {"--length", "8", "--cut", "first", "--short", "skip", "--classes", "3"}));
  ASSERT_EQ(data::Dataset(path("set")).size(), 2u);
  expect_window(1, 2, 0, 1);
}

TEST_F(SequenceImport, FoldersOfOneSequenceInAFile) {
  for (const auto& [folder, n, frames] :
       std::vector<std::tuple<std::string, int, std::uint64_t>>{{"jump", 0, 12}, {"walk", 1, 9}}) {
    const std::string file = folder + "/a.npy";
    data::test::write_npy(path("moves/" + file), "<f4", {frames, 2}, sequence(n, frames));
    data::test::write_npy(path("told/" + file), "<f4", {frames, 1}, conditions(n, frames));
  }
  done(import("moves", {"--length", "4", "--cut", "windows", "--frames", path("told")}));
  const data::Dataset set(path("set"));
  EXPECT_EQ(set.size(), 3u + 2);
  EXPECT_EQ(set.description().class_names, (std::vector<std::string>{"jump", "walk"}));
  expect_window(2, 0, 8, 0);
  expect_window(4, 1, 4, 1);
}

TEST_F(SequenceImport, ANameOfConditionsThatAreNotThereIsRefused) {
  data::test::write_npy(path("s.npy"), "<f4", {3, 10, 2}, Numbers(60, 1));
  for (const std::string key : {"--frames-key", "--lengths-key"}) {
    std::vector<std::string> args =
        import("s.npy", {"--length", "10", "--unlabelled", "on", key, "foo"});
    EXPECT_THAT(refused(args), HasSubstr(key + " is a name within .npz"));
  }
}

// What is sampled is input again.
TEST_F(SequenceImport, SampledOnesComeBack) {
  synthesize("drawn");
  train("drawn", "run");
  done(sampling("run", {"--out", path("a.npz")}));
  done(import("a.npz", {"--length", "12", "--cut", "windows", "--classes", "6"}));
  const data::Dataset set(path("set"));
  ASSERT_EQ(set.size(), 8u);
  EXPECT_EQ(set.label(5), 4);
  const Numbers samples = member(path("a.npz"), "samples", {4, 24, 6}), last = stored("set", 7);
  EXPECT_EQ(last[2], samples[(3 * 24 + 12 + 2) * 6]);
}

TEST_F(SequenceImport, WhatDoesNotFitIsRefused) {
  write_three("a.npz", true);
  const auto refuse = [&](const std::string& from, const std::vector<std::string>& more) {
    const std::string line = refused(import(from, more));
    EXPECT_TRUE(!std::filesystem::exists(path("set")) || std::filesystem::is_empty(path("set")));
    return line;
  };
  EXPECT_THAT(refuse("a.npz", {"--length", "8"}),
              HasSubstr("sequence 0 has 10 frames, --length is 8: --cut first takes"));
  EXPECT_THAT(refuse("a.npz", {"--length", "8", "--cut", "first"}),
              HasSubstr("sequence 1 has 7 frames, --length is 8: --short skip"));
  EXPECT_THAT(refuse("a.npz", {"--length", "20", "--cut", "first", "--short", "skip"}),
              HasSubstr("none of its 3 sequences has 20 frames"));
  EXPECT_THAT(refuse("a.npz", {"--length", "4", "--cut", "windows", "--scale", "2"}),
              HasSubstr("--scale is of latents of pictures, and --length 4 asks for sequences"));
  EXPECT_THAT(refuse("a.npz", {"--cut", "first"}),
              HasSubstr("--cut is of sequences, and --length"));
  EXPECT_THAT(refuse("a.npz", {"--length", "4", "--cut", "windows", "--classes", "2"}),
              HasSubstr("label 2 is outside 0 to 1"));
  data::test::write_npy(path("b.npy"), "<f4", {3, 9, 1}, Numbers(27, 1));
  EXPECT_THAT(refuse("a.npz", {"--length", "4", "--cut", "windows", "--frames", path("b.npy")}),
              HasSubstr("shape [3, 9, 1]"));
  data::test::write_npy(path("c.npy"), "<f4", {3, 2, 4, 2}, Numbers(48, 1));
  EXPECT_THAT(refuse("c.npy", {"--length", "4", "--unlabelled", "on"}),
              HasSubstr("shape [3, 2, 4, 2], sequences are [N, frames, numbers]"));
  Numbers broken = sequence(0, 10);
  broken[7] = NAN;
  data::test::write_npy(path("d.npy"), "<f4", {10, 2}, broken);
  EXPECT_THAT(refuse("d.npy", {"--length", "10", "--unlabelled", "on"}),
              HasSubstr("sequence 0 contains NaN or infinity"));
}

}  // namespace
}  // namespace edt::test
