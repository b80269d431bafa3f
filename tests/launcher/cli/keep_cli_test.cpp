// Pictures around what is kept, and larger than the model's, as a shell asks for them.
#include <gmock/gmock.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "core/image/png.h"
#include "core/storage/hdf5.h"
#include "data/dataset.h"
#include "tests/support/edt_program.h"
#include "tests/support/mpirun.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

constexpr std::size_t kSide = 8, kEach = 4 * kSide * kSide;  // latents of pictures of 64 pixels

class KeepCli : public CliRun {
 protected:
  std::string sample(const std::string& options) const {
    return "sample " + run_ + " --steps 3 " + options;
  }
  // The latents that these options make.
  std::vector<float> made(const std::string& options, const std::string& name) const {
    EXPECT_EQ(run(sample(options + " --latents " + path_ + "/" + name)).status, 0) << options;
    return h5::File::open(path_ + "/" + name)
        .dataset("latents")
        .read_all<float>(h5::Type::kFloat32);
  }
};

TEST_F(KeepCli, KeepsASampleOfTheSetAndLatentsOfAFile) {
  const auto whole = made("--classes 1 --keep set:3 --keep-box 0,0,64,64", "whole.h5");
  ASSERT_EQ(whole.size(), kEach);
  const auto half = made("--classes 1,2 --keep set:3 --keep-box 0,32,64,32", "half.h5");
  const auto same = made(
      "--classes 1,2 --resample 2 --keep " + path_ + "/whole.h5 --keep-box 0,32,64,32", "same.h5");
  ASSERT_EQ(half.size(), 2 * kEach);
  for (std::size_t i = 0; i < half.size(); ++i) {
    if (i / kSide % kSide < kSide / 2) continue;
    ASSERT_EQ(half[i], whole[i % kEach]) << i;
    ASSERT_EQ(same[i], whole[i % kEach]) << i;
  }
  EXPECT_NE(half, same);
  EXPECT_NE(made("--classes 1 --keep set:4 --keep-box 0,0,64,64", "next.h5"), whole);
  // What the data set has, normalized or not, as training reads it.
  std::vector<float> stored(kEach);
  data::ReadScratch scratch;
  const data::SampleRef third{.index = 3};
  data::Dataset(data_).read(std::span(&third, 1), 0, scratch, stored);
  EXPECT_EQ(whole, stored);
  const h5::File file = h5::File::open(path_ + "/same.h5");
  EXPECT_EQ(file.read_string("keep"), path_ + "/whole.h5");
  EXPECT_EQ(file.read_int("resample"), 2);
}

// Scales and statistics of the file and of the model differ.
TEST_F(KeepCli, LatentsOfAnotherScaleAreConverted) {
  const auto whole = made("--classes 1 --keep set:3 --keep-box 0,0,64,64", "whole.h5");
  const auto write = [&](const std::string& name, std::uint64_t side, double scale,
                         const std::string& checksum) {
    auto file = h5::File::create(path_ + "/" + name);
    std::vector<float> values(whole.begin(), whole.begin() + static_cast<long>(4 * side * side));
    file.create_dataset("latents", h5::Type::kFloat32, {1, 4, side, side})
        .write(h5::Type::kFloat32, values.data());
    file.write_attribute("scale", scale);
    if (!checksum.empty()) file.write_attribute("autoencoder_checksum", checksum);
  };
  const double scale = h5::File::open(path_ + "/whole.h5").read_double("scale");
  write("half.h5", kSide, scale / 2, "");
  const auto converted =
      made("--classes 1 --keep " + path_ + "/half.h5 --keep-box 0,0,64,64", "converted.h5");
  for (std::size_t i = 0; i < kEach; ++i) ASSERT_NEAR(converted[i], 2 * whole[i], 1e-5) << i;
  write("small.h5", 4, scale, "");
  EXPECT_THAT(refusal(sample("--classes 1 --latents x.h5 --keep-box 0,0,64,64 --keep " + path_ +
                             "/small.h5")),
              HasSubstr("latents of 4 channels of 4 x 4, the model's are 4 channels of 8 x 8"));
}

TEST_F(KeepCli, TakesAMaskForABox) {
  Image mask(64, 64);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const bool kept = x >= 16 && x < 56 && (x != 20 || y != 20);  // a latent less
      for (int c = 0; c < 3; ++c) mask.pixel(x, y)[c] = kept ? 255 : 0;
    }
  }
  write_png(path_ + "/mask.png", mask);
  const auto whole = made("--classes 1 --keep set:3 --keep-box 0,0,64,64", "whole.h5");
  const auto some = made("--classes 1 --keep set:3 --keep-mask " + path_ + "/mask.png", "some.h5");
  for (std::size_t i = 0; i < kEach; ++i) {
    const std::size_t x = i % kSide, y = i / kSide % kSide;
    const bool kept = x >= 2 && x < 7 && !(x == 2 && y == 2);
    ASSERT_EQ(some[i] == whole[i], kept) << i;
  }
}

TEST_F(KeepCli, PicturesOfSeveralWindowsAreTheSameOverRanks) {
  const std::string options = "--classes 1,2,3 --batch 1 --extend 2x1 --extend-overlap 16";
  const auto plain = made("--classes 1,2,3", "plain.h5"), wide = made(options, "wide.h5");
  constexpr std::size_t kWidth = 2 * kSide - 2;
  ASSERT_EQ(wide.size(), 3 * 4 * kSide * kWidth);
  for (std::size_t line = 0; line < 3 * 4 * kSide; ++line) {
    for (std::size_t x = 0; x < kSide; ++x) {
      ASSERT_EQ(wide[line * kWidth + x], plain[line * kSide + x]) << line << ", " << x;
    }
  }
  const h5::File file = h5::File::open(path_ + "/wide.h5");
  EXPECT_EQ(file.read_int("image_size"), 64);
  EXPECT_EQ(file.read_int("image_width"), 8 * static_cast<std::int64_t>(kWidth));
  const std::string over_ranks = edt_program() + " " + sample(options) + " --latents " + path_ +
                                 "/ranks.h5 --out " + path_ + "/ranks.png --columns 1";
  ASSERT_EQ(mpirun("-np 2 " + over_ranks, "2>&1").status, 0);
  EXPECT_EQ(
      h5::File::open(path_ + "/ranks.h5").dataset("latents").read_all<float>(h5::Type::kFloat32),
      wide);
  EXPECT_EQ(read_png(path_ + "/ranks.png").width, static_cast<int>(8 * kWidth));
}

TEST_F(KeepCli, WhatDoesNotFitIsRefused) {
  const auto refused = [&](const std::string& options) {
    return refusal(sample("--classes 1 --out " + path_ + "/x.png " + options));
  };
  const std::string box = " --keep-box 0,0,32,32", set = "--keep set:3";
  EXPECT_THAT(refused(set), HasSubstr("--keep-box and --keep-mask"));
  EXPECT_THAT(refused(box), HasSubstr("--keep, which says of what, is not"));
  EXPECT_THAT(refused(set + " --keep-box 0,0,32"), HasSubstr("3 values, four are needed"));
  EXPECT_THAT(refused(set + " --keep-box 40,0,32,32"),
              HasSubstr("--keep-box 40,0,32,32 is not within the model's pictures, 64 x 64"));
  EXPECT_THAT(refused(set + " --keep-box 9223372036854775800,0,16,8"), HasSubstr("is not within"));
  EXPECT_THAT(refused(set + " --keep-box 0,0,0,64"), HasSubstr("--keep-box 0,0,0,64 keeps no"));
  EXPECT_THAT(refused("--extend 1x1"), HasSubstr("--extend 1x1 is one window"));
  EXPECT_THAT(refused("--extend 2x1 --init-noise z.h5"), HasSubstr("--init-noise gives the noise"));
  EXPECT_THAT(refused(set + " --keep-box 0,0,30,32"), HasSubstr("30 pixels are no multiple of 8"));
  EXPECT_THAT(refused("--keep set:x" + box), HasSubstr("set:NUMBER"));
  EXPECT_THAT(refused("--keep set:99" + box), HasSubstr("has samples 0 to 31"));
  EXPECT_THAT(refused("--keep " + path_ + "/none.h5" + box),
              HasSubstr("none.h5: there is no such"));
  // Files of other kinds: the line says which option named them, and what is read.
  const std::string read = "are read";
  EXPECT_EQ(run("sample " + run_ + " --steps 3 --classes 1 --npz " + path_ + "/a.npz").status, 0);
  write("b.npy", "\x93NUMPY");
  for (const std::string file : {"/a.npz", "/b.npy", ""}) {
    EXPECT_THAT(refused("--keep " + path_ + file + box),
                testing::AllOf(HasSubstr("--keep " + path_ + file + ": "), HasSubstr(read)));
  }
  const auto latents = [&](const std::string& name, h5::Type type, float value) {
    auto file = h5::File::create(path_ + "/" + name);
    const std::vector<float> values(kEach, value);
    file.create_dataset("latents", type, {1, 4, kSide, kSide})
        .write(h5::Type::kFloat32, values.data());
  };
  latents("nan.h5", h5::Type::kFloat32, std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(refused("--keep " + path_ + "/nan.h5" + box),
              testing::AllOf(HasSubstr("--keep " + path_ + "/nan.h5: latents contain NaN"),
                             HasSubstr(read)));
  latents("integers.h5", h5::Type::kInt32, 1);
  EXPECT_THAT(refused("--keep " + path_ + "/integers.h5" + box),
              testing::AllOf(HasSubstr("--keep " + path_ + "/integers.h5: latents are int32"),
                             HasSubstr(read)));
  write("no.png", "no picture");
  EXPECT_THAT(
      refused(set + " --keep-mask " + path_ + "/no.png"),
      testing::AllOf(HasSubstr("--keep-mask " + path_ + "/no.png: "), HasSubstr("is read")));
  latents("plain.h5", h5::Type::kFloat32, 1);
  EXPECT_THAT(
      run(sample("--classes 1 --latents " + path_ + "/y.h5 --keep " + path_ + "/plain.h5" + box),
          "2>&1")
          .output,
      HasSubstr("plain.h5: has no scale: its latents are taken as the model sees them"));
  write_png(path_ + "/small.png", Image(32, 64));
  EXPECT_THAT(refused("--keep " + path_ + "/small.png" + box), HasSubstr("--vae names"));
  EXPECT_THAT(refused(set + " --keep-mask " + path_ + "/small.png"),
              HasSubstr("the picture is 32 x 64 pixels, the model's are 64 x 64"));
  EXPECT_THAT(refused("--extend 3"), HasSubstr("COLUMNSxROWS is needed"));
  EXPECT_THAT(refused("--extend 99x1"), HasSubstr("1 to 16 columns and rows"));
  EXPECT_THAT(refused("--extend 2x1 --extend-overlap 64"),
              HasSubstr("--extend-overlap 64: 8 to 56 pixels are possible, a window has 64 x 64"));
  EXPECT_THAT(refused("--extend 2x1 --extend-overlap 12"),
              HasSubstr("12 pixels are no multiple of 8"));
  EXPECT_THAT(refused("--extend-overlap 8"), HasSubstr("--extend is not given"));
  EXPECT_THAT(refused("--resample 3"), HasSubstr("neither --keep nor --extend is given"));
  EXPECT_THAT(refused("--extend 2x1 " + set + box), HasSubstr("are both given"));
  EXPECT_THAT(refused(set + box + " --resample 2 --sampler dpm++"),
              HasSubstr("--resample is 2, and a step of dpm++ goes by the one before"));
  EXPECT_THAT(refused(set + box + " --resample 2 --cache fora"),
              HasSubstr("--resample is 2, and --cache counts on"));
  write_png(path_ + "/mask.png", Image(64, 64, 255));
  EXPECT_THAT(refusal(sample("--classes 1 " + set + " --keep-mask " + path_ + "/mask.png --out " +
                             path_ + "/mask.png")),
              HasSubstr("mask.png"));
  write_png(path_ + "/black.png", Image(64, 64));
  EXPECT_THAT(refused(set + " --keep-mask " + path_ + "/black.png"), HasSubstr("keeps no whole"));
  ASSERT_EQ(run(sample("--classes 1,2,3 --latents " + path_ + "/three.h5")).status, 0);
  EXPECT_THAT(refusal(sample("--classes 1,2 --latents " + path_ + "/x.h5 --keep " + path_ +
                             "/three.h5" + box)),
              HasSubstr("three.h5: 3 latents, 2 pictures are asked for"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/x.png"));
}

}  // namespace
}  // namespace edt::test
