// edt vae and edt bench vae as a shell sees them.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/image/png.h"
#include "core/json/json_text.h"
#include "tests/support/drawn_autoencoder.h"
#include "tests/support/edt_program.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class VaeCli : public Cli {
 protected:
  VaeCli() { write_vae("vae.safetensors", {}); }

  // A small AutoencoderKL f8 c4 whose norms have 4 groups: as Stable Diffusion's but for the
  // widths.
  void write_vae(const std::string& name, const DrawnFile& how) {
    write_autoencoder(directory_ / name, kl_tensors({.widths = {8, 8, 8, 8}}), how);
  }
  void write_picture(const std::string& name, int width, int height, int shade) {
    Image image(width, height);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < 3; ++c) {
          image.pixel(x, y)[c] = static_cast<std::uint8_t>(shade + x * 5 + y * 3 + c * 40);
        }
      }
    }
    write_png(directory_ / name, image);
  }
  std::string vae(const std::string& name = "vae.safetensors") const {
    return " --vae " + path_ + "/" + name + " --vae-groups 4 ";
  }
  nlohmann::json info(const std::string& name) const {
    const Outcome outcome = run("vae info --json" + vae(name));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    return parse_json(outcome.output, "output");
  }
};

TEST_F(VaeCli, Info) {
  const auto json = info("vae.safetensors");
  EXPECT_EQ(json["name"], "AutoencoderKL f8 c4");
  EXPECT_EQ(json["scale"], 0.18215);
  const Outcome text = run("vae info " + path_ + "/vae.safetensors --vae-groups 4");
  EXPECT_THAT(text.output, AllOf(HasSubstr("AutoencoderKL f8 c4"), HasSubstr("0.18215, shift 0"),
                                 HasSubstr(json["encoder_checksum"].get<std::string>())));
  EXPECT_THAT(refusal("vae info " + path_ + "/none"), HasSubstr("none: there is no such file"));
  EXPECT_THAT(refusal("vae info " + path_), HasSubstr("diffusion_pytorch_model.safetensors"));
  EXPECT_THAT(refusal("vae info " + path_ + "/vae.safetensors"), HasSubstr("32 groups"));
}

TEST_F(VaeCli, ThereAndBackByBothFormats) {
  write_picture("a.png", 40, 32, 10);
  write_picture("b.png", 32, 48, 90);
  const std::string pictures = path_ + "/a.png " + path_ + "/b.png --image-size 32";
  for (const char* format : {"safetensors", "h5"}) {
    const std::string latents = path_ + "/latents." + format;
    EXPECT_EQ(run("vae encode " + pictures + vae() + "--out " + latents).status, 0);
    EXPECT_EQ(run("vae decode " + latents + vae() + "--out " + path_ + "/" + format +
                  ".png --out-dir " + path_ + "/" + format)
                  .status,
              0);
  }
  const Image grid = read_png(directory_ / "h5.png");
  EXPECT_EQ(grid.width, 2 * 32 + 2);
  EXPECT_EQ(grid.pixels, read_png(directory_ / "safetensors.png").pixels);
  EXPECT_EQ(read_png(directory_ / "h5/000001.png").pixels,
            read_png(directory_ / "safetensors/000001.png").pixels);
  EXPECT_NE(read_png(directory_ / "h5/000000.png").pixels,
            read_png(directory_ / "h5/000001.png").pixels);
  const Outcome narrow = run("vae decode " + path_ + "/latents.h5" + vae() +
                             "--vae-dtype bf16 --out " + path_ + "/bf16.png");
  EXPECT_EQ(narrow.status, 0);
  EXPECT_NE(read_png(directory_ / "bf16.png").pixels, grid.pixels);
  EXPECT_THAT(run("vae check " + pictures + vae()).output, HasSubstr("dB  mean of 2 pictures"));
}

TEST_F(VaeCli, OtherEncodersLatentsAreRefusedWithBothChecksums) {
  write_picture("a.png", 32, 32, 10);
  write_vae("other.safetensors", {.change = [](NamedShape& tensor, std::vector<float>& values) {
              if (tensor.name == "encoder.conv_in.bias") values[0] += 1;
            }});
  write_vae("tuned.safetensors", {.change = [](NamedShape& tensor, std::vector<float>& values) {
              if (tensor.name == "decoder.conv_in.bias") values[0] += 1;
            }});
  const std::string latents = path_ + "/latents.h5";
  EXPECT_EQ(run("vae encode " + path_ + "/a.png" + vae() + "--out " + latents).status, 0);
  EXPECT_THAT(
      refusal("vae decode " + latents + vae("other.safetensors") + "--out " + path_ + "/g.png"),
      AllOf(HasSubstr(info("vae.safetensors")["encoder_checksum"].get<std::string>()),
            HasSubstr(info("other.safetensors")["encoder_checksum"].get<std::string>())));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "g.png"));
  // Another decoder for the same encoder is as good.
  EXPECT_EQ(
      run("vae decode " + latents + vae("tuned.safetensors") + "--out " + path_ + "/g.png").status,
      0);
}

// As edt sample: pictures of two calls would be taken for one set, and weights be gone.
TEST_F(VaeCli, NothingIsMixedOrOverwritten) {
  write_picture("a.png", 32, 32, 10);
  const std::string latents = path_ + "/l.safetensors", into = " --out-dir " + path_ + "/d";
  ASSERT_EQ(run("vae encode " + path_ + "/a.png" + vae() + "--out " + latents).status, 0);
  const std::string decode = "vae decode " + latents + vae() + into;
  EXPECT_EQ(run(decode).status, 0);
  EXPECT_THAT(refusal(decode), HasSubstr("has pictures of an earlier call, 000000.png"));
  EXPECT_EQ(run(decode + " --replace").status, 0);
  EXPECT_THAT(
      refusal("vae encode " + path_ + "/a.png" + vae() + "--out " + path_ + "/vae.safetensors"),
      HasSubstr("would be replaced, and is read"));
}

TEST_F(VaeCli, WhatCannotBeIsRefused) {
  write_picture("a.png", 40, 32, 10);
  write_picture("b.png", 32, 32, 10);
  write_picture("tiny.png", 7, 40, 10);
  const std::string a = path_ + "/a.png ", b = path_ + "/b.png ", out = "--out " + path_ + "/l.h5";
  EXPECT_THAT(refusal("vae encode " + path_ + "/tiny.png" + vae() + out),
              AllOf(HasSubstr("7 x 40"), HasSubstr("8 x 8")));
  EXPECT_THAT(refusal("vae encode " + a + vae() + "--out " + path_ + "/none/l.npz"),
              HasSubstr(".npz"));
  EXPECT_THAT(refusal("vae encode " + write("text.jpg", "no picture") + vae() + out),
              HasSubstr("text.jpg"));
  EXPECT_THAT(refusal("vae decode " + a + vae()), HasSubstr("--out"));
  EXPECT_THAT(refusal("vae decode " + a + vae() + "--replace --out " + path_ + "/g.png"),
              HasSubstr("--replace is of no use"));
  EXPECT_THAT(refusal("vae decode " + a + vae() + "--columns 3 --out-dir " + path_ + "/many"),
              HasSubstr("--columns is of no use"));
  EXPECT_THAT(refusal("vae decode " + a + vae() + "--out " + path_ + "/many/g.png --out-dir " +
                      path_ + "/many"),
              HasSubstr("the grid is no such picture"));
  EXPECT_THAT(refusal("vae decode " + path_ + "/none.h5" + vae() + "--out " + path_ + "/g.png"),
              HasSubstr("no such file"));
  EXPECT_THAT(refusal("vae decode " + path_ + vae() + "--out " + path_ + "/g.png"),
              HasSubstr("is a folder, a file of latents is needed"));
  EXPECT_THAT(refusal("vae check " + path_ + vae()), HasSubstr("is a folder, a picture is needed"));
  EXPECT_THAT(refusal("vae check " + a + vae() + "--vae-tile 20"), HasSubstr("multiple of 32"));
  EXPECT_THAT(refusal("vae encode " + a + vae() + "--vae-shift 1 " + out),
              HasSubstr("without --vae-scale"));
  EXPECT_THAT(refusal("vae encode " + b + a + vae() + out),
              AllOf(HasSubstr("40 x 32"), HasSubstr("32 x 32")));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "l.h5"));
  write_autoencoder(directory_ / "unknown.safetensors",
                    kl_tensors({.widths = {8, 8}, .latents = 3}));
  EXPECT_THAT(refusal("vae encode " + b + vae("unknown.safetensors") + out),
              AllOf(HasSubstr("scale"), HasSubstr("--vae-scale")));
}

TEST_F(VaeCli, Bench) {
  const Outcome outcome = run("bench vae --model taesd --image-size 32 --seconds 0 --json");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto json = parse_json(outcome.output, "output");
  ASSERT_EQ(json["passes"].size(), 3u);
  EXPECT_EQ(json["passes"][1]["pass"], "decode");
  EXPECT_EQ(json["passes"][2]["dtype"], "bf16");
  // 64 times fewer pixels than 256 x 256, whose 17.7 GMAC are those of the published network.
  EXPECT_NEAR(json["passes"][1]["gmac"].get<double>(), 17.7 / 64, 0.005);
  EXPECT_GT(json["passes"][1]["ceiling_ratio"].get<double>(), 0);
  EXPECT_THAT(refusal("bench vae --vae none"), HasSubstr("none"));
  EXPECT_THAT(run("bench vae --model taesd --image-size 32 --seconds 0").output,
              AllOf(HasSubstr("TAESD f8 c4"), HasSubstr("decode bf16")));
}

TEST_F(VaeCli, BenchOfSamplingWithADecoder) {
  const std::string sampling =
      std::string("bench sampling --rounds 1 --micro-batch 1") + kTinyModel;
  EXPECT_FALSE(parse_json(run(sampling + "--json").output, "output").contains("decoder"));
  const auto json = parse_json(run(sampling + "--vae taesd --steps 10 --json").output, "output");
  EXPECT_EQ(json["decoder"], "TAESD f8 c4");
  EXPECT_EQ(json["sampler_steps"], 10);
  EXPECT_GT(json["decode_seconds_per_image"], 0.0);
  EXPECT_GT(json["decode_share_of_sampling"], 0.0);
  EXPECT_THAT(run(sampling + "--vae taesd --vae-dtype bf16").output,
              AllOf(HasSubstr("decoding"), HasSubstr("TAESD f8 c4"), HasSubstr("50 steps")));
  write_autoencoder(directory_ / "wide.safetensors",
                    kl_tensors({.widths = {32, 32}, .latents = 3}));
  EXPECT_THAT(refusal(sampling + "--vae " + path_ + "/wide.safetensors"),
              AllOf(HasSubstr("3 channels"), HasSubstr("have 4")));
}

}  // namespace
}  // namespace edt::test
