// Files of weights: every layout of names gives the same autoencoder, and what is none is refused
// with the tensor's name and both shapes.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <map>
#include <regex>

#include "core/cpu/cpu_backend.h"
#include "tests/support/drawn_autoencoder.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_dir.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const KlSizes kTiny{.widths = {8, 16}};

// The names of CompVis, by the table of the published code: what the program does, backwards.
std::string ldm_name(std::string name, int levels) {
  const auto swap = [&](const char* pattern, const std::string& by) {
    name = std::regex_replace(name, std::regex(pattern), by);
  };
  std::smatch up;
  if (std::regex_search(name, up, std::regex("up_blocks\\.(\\d)"))) {
    swap("up_blocks\\.\\d", "up." + std::to_string(levels - 1 - std::stoi(up[1])));
  }
  swap("down_blocks", "down");
  swap("mid_block\\.resnets\\.0", "mid.block_1");
  swap("mid_block\\.resnets\\.1", "mid.block_2");
  swap("mid_block\\.attentions\\.0", "mid.attn_1");
  swap("resnets", "block");
  swap("attentions", "attn");
  swap("downsamplers\\.0", "downsample");
  swap("upsamplers\\.0", "upsample");
  swap("conv_shortcut", "nin_shortcut");
  swap("conv_norm_out", "norm_out");
  swap("group_norm", "norm");
  swap("to_out\\.0", "proj_out");
  swap("to_([qkv])", "$1");
  return name;
}

std::string name_of_2022(std::string name) {
  for (const auto& [now, then] : std::map<std::string, std::string>{
           {"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out\\.0", "proj_attn"}}) {
    name = std::regex_replace(name, std::regex(now), then);
  }
  return name;
}

class Files : public testing::Test {
 protected:
  std::unique_ptr<Autoencoder> load(const std::string& file, AutoencoderOptions options = {}) {
    if (options.norm_groups == 0) options.norm_groups = 4;
    return Autoencoder::load(directory_ / file, *backend_, options);
  }
  std::string refusal(const std::string& file) {
    return message_of<Error>([&] { load(file); });
  }
  void write(const std::string& file, const DrawnFile& how = {},
             const std::vector<NamedShape>& tensors = kl_tensors(kTiny)) {
    write_autoencoder(directory_ / file, tensors, how);
  }

  TempDir directory_;
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
};

// Linear weights of attention are 1x1 convolutions in ldm.
void as_convolutions(NamedShape& tensor, std::vector<float>&) {
  if (tensor.name.find(".to_") != std::string::npos && tensor.shape.rank() == 2)
    tensor.shape = {tensor.shape[0], tensor.shape[1], 1, 1};
}

TEST_F(Files, AllLayoutsAreOneAutoencoder) {
  KlSizes sizes{.widths = {8, 16, 16}, .attention_at_the_bottom = true};
  const auto tensors = kl_tensors(sizes);
  const auto ldm = [](const std::string& name) { return ldm_name(name, 3); };
  write("diffusers.safetensors", {}, tensors);
  write("2022.safetensors", {.name = name_of_2022}, tensors);
  write("ldm.safetensors", {.name = ldm, .change = as_convolutions}, tensors);
  auto whole = tensors;
  whole.push_back({"model.diffusion_model.out.0.weight", {5}});
  whole.push_back({"cond_stage_model.encoder.layers.0.weight", {5, 5}});
  write("checkpoint.safetensors",
        {.name =
             [&](const std::string& name) {
               return name.starts_with("model.") || name.starts_with("cond_")
                          ? name
                          : "first_stage_model." + ldm(name);
             },
         .change = as_convolutions},
        whole);
  const auto first = load("diffusers.safetensors");
  EXPECT_EQ(first->info().tensor_names, "diffusers");
  EXPECT_NE(first->info().encoder_checksum, first->info().decoder_checksum);
  for (const auto& [file, names, others] : {std::tuple{"2022", "diffusers of 2022", 0},
                                            {"ldm", "ldm", 0},
                                            {"checkpoint", "ldm behind first_stage_model.", 2}}) {
    const auto other = load(std::string(file) + ".safetensors");
    EXPECT_EQ(other->info().encoder_checksum, first->info().encoder_checksum) << file;
    EXPECT_EQ(other->info().decoder_checksum, first->info().decoder_checksum) << file;
    EXPECT_EQ(other->info().tensor_names, names);
    EXPECT_EQ(other->info().other_tensors, static_cast<std::size_t>(others)) << file;
  }
}

TEST_F(Files, NarrowTypesGiveTheValuesTheyHold) {
  const auto rounded = [](SafetensorsType type) {
    return [type](NamedShape&, std::vector<float>& values) {
      for (float& value : values) {
        value = type == SafetensorsType::kF16 ? half_to_float(float_to_half(value))
                                              : static_cast<float>(bfloat16(value));
      }
    };
  };
  for (const auto type : {SafetensorsType::kF16, SafetensorsType::kBF16}) {
    write("narrow.safetensors", {.type = type, .change = rounded(type)});
    write("wide.safetensors", {.change = rounded(type)});
    EXPECT_EQ(load("narrow.safetensors")->info().encoder_checksum,
              load("wide.safetensors")->info().encoder_checksum);
  }
  write("wide.safetensors");
  EXPECT_NE(load("narrow.safetensors")->info().encoder_checksum,
            load("wide.safetensors")->info().encoder_checksum);
}

TEST_F(Files, ScaleComesFromWhereItIs) {
  write("vae.safetensors", {}, kl_tensors({.widths = {8, 8, 8, 8}}));
  EXPECT_EQ(load("vae.safetensors")->info().scale, 0.18215);
  write("flux.safetensors", {.name = [](const std::string& n) { return ldm_name(n, 4); }},
        kl_tensors({.widths = {8, 8, 8, 8}, .latents = 16, .quant = false}));
  EXPECT_EQ(load("flux.safetensors")->info().scale, 0.3611);
  EXPECT_EQ(load("flux.safetensors")->info().shift, 0.1159);
  write("other.safetensors", {}, kl_tensors({.widths = {8, 8, 8}, .latents = 5}));
  EXPECT_EQ(load("other.safetensors")->info().scale_origin, "");
  EXPECT_EQ(load("other.safetensors", {.scale = 2, .shift = 0.5})->info().shift, 0.5);
  std::ofstream(directory_ / "config.json")
      << R"({"_class_name": "AutoencoderKL", "scaling_factor": 1.5305, "shift_factor": 0.0609,
             "norm_num_groups": 2})";
  EXPECT_EQ(load("other.safetensors")->info().scale, 1.5305);
  EXPECT_EQ(load("other.safetensors")->info().shift, 0.0609);
  std::ofstream(directory_ / "config.json") << R"({"_class_name": "AutoencoderKL"})";
  EXPECT_EQ(load("other.safetensors")->info().scale, 0.18215);
  std::ofstream(directory_ / "config.json") << R"({"_class_name": "UNet2DConditionModel"})";
  EXPECT_EQ(load("other.safetensors")->info().scale_origin, "");
  std::ofstream(directory_ / "config.json")
      << R"({"_class_name": "AutoencoderKL", "scaling_factor": "a"})";
  EXPECT_THAT(refusal("other.safetensors"), AllOf(HasSubstr("scaling_factor"), HasSubstr("\"a\"")));
  std::ofstream(directory_ / "config.json")
      << R"({"_class_name": "AutoencoderKL", "norm_num_groups": 2.5})";
  EXPECT_THAT(refusal("other.safetensors"), HasSubstr("norm_num_groups 2.5"));
  std::ofstream(directory_ / "config.json") << R"({"_class_name": 3})";
  EXPECT_EQ(load("other.safetensors")->info().scale_origin, "");
}

// As published TAESD's latents need none, and its config.json says 1; one of somebody's own may say
// another.
TEST_F(Files, ATinyAutoencoderHasTheScaleOfItsConfiguration) {
  write("tiny.safetensors", {}, taesd_tensors(8, 4));
  EXPECT_EQ(load("tiny.safetensors")->info().scale, 1);
  std::ofstream(directory_ / "config.json")
      << R"({"_class_name": "AutoencoderTiny", "scaling_factor": 1.75})";
  const auto own = load("tiny.safetensors");
  EXPECT_EQ(own->info().scale, 1.75);
  EXPECT_EQ(own->info().scale_origin, "config.json");
}

TEST_F(Files, HalfAFile) {
  const auto only = [](const char* beginning, const char* beside) {
    return [=](const std::string& name) {
      return name.starts_with(beginning) || name.starts_with(beside) ? name : std::string();
    };
  };
  write("encoder.safetensors", {.name = only("encoder.", "quant_conv.")});
  write("both.safetensors");
  const auto encoder = load("encoder.safetensors");
  EXPECT_EQ(encoder->info().encoder_checksum, load("both.safetensors")->info().encoder_checksum);
  EXPECT_FALSE(encoder->info().has_decoder);
  EXPECT_EQ(encoder->info().decoder_checksum, 0u);
  const std::vector<float> z(4);
  EXPECT_THAT(message_of<Error>([&] {
                encoder->decode(z, {1, 1});
              }),
              HasSubstr("holds an encoder alone"));
}

// Nothing in a file says the number of groups, and other groups give other latents.
TEST_F(Files, GroupsOfNormsArePartOfTheChecksum) {
  write("a.safetensors");
  const auto four = load("a.safetensors", {.norm_groups = 4});
  const auto two = load("a.safetensors", {.norm_groups = 2});
  EXPECT_EQ(four->info().norm_groups, 4);
  EXPECT_NE(four->info().encoder_checksum, two->info().encoder_checksum);
  EXPECT_NE(four->info().decoder_checksum, two->info().decoder_checksum);
  std::ofstream(directory_ / "config.json")
      << R"({"_class_name": "AutoencoderKL", "norm_num_groups": 2})";
  const auto said = Autoencoder::load(directory_ / "a.safetensors", *backend_);
  EXPECT_EQ(said->info().encoder_checksum, two->info().encoder_checksum);
  write("taesd.safetensors", {}, taesd_tensors(8, 4));
  EXPECT_EQ(load("taesd.safetensors")->info().norm_groups, 0);
}

TEST_F(Files, OneHalfAloneKeepsNoOther) {
  write("a.safetensors");
  write("t.safetensors", {}, taesd_tensors(8, 4));
  for (const char* file : {"a.safetensors", "t.safetensors"}) {
    const auto whole = load(file), decoder = load(file, {.use = AutoencoderUse::kDecoding}),
               encoder = load(file, {.use = AutoencoderUse::kEncoding});
    for (const auto* half : {&decoder, &encoder}) {
      EXPECT_TRUE((*half)->info().has_encoder && (*half)->info().has_decoder);
      EXPECT_EQ((*half)->info().encoder_checksum, whole->info().encoder_checksum);
      EXPECT_EQ((*half)->info().decoder_checksum, whole->info().decoder_checksum);
    }
    const std::vector<float> z(static_cast<std::size_t>(4 * 4 * 4), 0.5f);
    EXPECT_EQ(decoder->decode(z, {4, 4}), whole->decode(z, {4, 4}));
    const std::vector<float> picture(3 * 16 * 16);
    EXPECT_EQ(encoder->encode(picture, {16, 16}), whole->encode(picture, {16, 16}));
    EXPECT_THROW(decoder->encode(picture, {16, 16}), std::exception);
    EXPECT_THROW(encoder->decode(z, {4, 4}), std::exception);
  }
}

TEST_F(Files, WhatIsNoAutoencoderIsRefused) {
  const auto without = [](const std::string& missing) {
    return [=](const std::string& name) { return name == missing ? std::string() : name; };
  };
  const auto reshaped = [](const std::string& which, Shape shape) {
    return [=](NamedShape& tensor, std::vector<float>& values) {
      if (tensor.name != which) return;
      tensor.shape = shape;
      values.resize(static_cast<std::size_t>(shape.elements()));
    };
  };
  EXPECT_THAT(refusal("none.safetensors"), HasSubstr("there is no such file"));

  write("a.safetensors", {.name = without("encoder.mid_block.resnets.0.conv1.weight")});
  EXPECT_THAT(refusal("a.safetensors"),
              HasSubstr("no tensor encoder.mid_block.resnets.0.conv1.weight"));
  write("a.safetensors", {.name = without("encoder.mid_block.resnets.1.norm2.bias")});
  EXPECT_THAT(refusal("a.safetensors"), HasSubstr("encoder.mid_block.resnets.1.norm2.bias"));
  write("a.safetensors",
        {.change = reshaped("decoder.up_blocks.1.resnets.0.conv1.weight", {8, 15, 3, 3})});
  EXPECT_THAT(refusal("a.safetensors"),
              AllOf(HasSubstr("decoder.up_blocks.1.resnets.0.conv1.weight"),
                    HasSubstr("[8, 15, 3, 3]"), HasSubstr("[8, 16, 3, 3] is needed")));
  write("a.safetensors",
        {.change = reshaped("decoder.up_blocks.1.resnets.0.conv1.weight", {8, 16, 4, 4})});
  EXPECT_THAT(refusal("a.safetensors"),
              AllOf(HasSubstr("decoder.up_blocks.1.resnets.0.conv1.weight"),
                    HasSubstr("[8, 16, 4, 4]"), HasSubstr("odd sides")));
  write("a.safetensors", {.change = reshaped("quant_conv.weight", {7, 8, 1, 1})});
  EXPECT_THAT(refusal("a.safetensors"), HasSubstr("quant_conv.bias"));
  write("a.safetensors", {.name = [](const std::string& name) {
          return name == "decoder.conv_in.bias" ? std::string("decoder.conv_in.offset") : name;
        }});
  EXPECT_THAT(refusal("a.safetensors"),
              AllOf(HasSubstr("decoder.conv_in.offset"), HasSubstr("no layer")));
  write("a.safetensors", {.change = [](NamedShape& tensor, std::vector<float>& values) {
          if (tensor.name == "encoder.conv_in.bias")
            values[3] = std::numeric_limits<float>::infinity();
        }});
  EXPECT_THAT(refusal("a.safetensors"),
              AllOf(HasSubstr("encoder.conv_in.bias"), HasSubstr("NaN or infinity")));
  write("a.safetensors", {.name = [](const std::string& name) { return "x" + name; }});
  EXPECT_THAT(refusal("a.safetensors"), HasSubstr("no autoencoder"));

  auto two = kl_tensors(kTiny);
  for (const NamedShape& tensor : kl_tensors(kTiny))
    two.push_back({"ema." + tensor.name, tensor.shape});
  write("a.safetensors", {}, two);
  EXPECT_THAT(refusal("a.safetensors"), AllOf(HasSubstr("2 autoencoders"), HasSubstr("ema.")));

  write("a.safetensors");
  EXPECT_THAT(message_of<Error>([&] { load("a.safetensors", {.norm_groups = 5}); }),
              AllOf(HasSubstr("8 channels"), HasSubstr("5 groups")));
  EXPECT_THAT(message_of<Error>([&] { load("a.safetensors", {.tile = 20}); }),
              AllOf(HasSubstr("20 pixels"), HasSubstr("multiple of 8")));
}

// Layers that do not fit each other: said of the layer, and not of what comes after it.
TEST_F(Files, LayersThatDoNotFitEachOtherAreNamed) {
  using Shapes = std::map<std::string, Shape>;
  const auto refused = [&](std::vector<NamedShape> tensors, const Shapes& shapes) {
    for (const auto& [name, shape] : shapes) {
      const auto found = std::ranges::find(tensors, name, &NamedShape::name);
      if (found != tensors.end()) found->shape = shape;
      if (found == tensors.end()) tensors.push_back({name, shape});
    }
    write("a.safetensors", {}, tensors);
    return refusal("a.safetensors");
  };
  const auto kl = kl_tensors(kTiny);
  const std::string middle = "encoder.mid_block.resnets.0.";
  const Shapes narrow{{middle + "conv2.weight", {12, 16, 3, 3}}, {middle + "conv2.bias", {12}}};
  EXPECT_THAT(refused(kl, narrow), HasSubstr("encoder.mid_block.resnets.0 adds 12 channels to 16"));
  Shapes by_shortcut = narrow;
  by_shortcut[middle + "conv_shortcut.weight"] = {12, 16, 1, 1};
  by_shortcut[middle + "conv_shortcut.bias"] = {12};
  EXPECT_THAT(refused(kl, by_shortcut),
              HasSubstr("encoder.mid_block changes the number of channels"));
  EXPECT_THAT(refused(kl, {{"decoder.mid_block.attentions.0.to_q.weight", {12, 16}},
                           {"decoder.mid_block.attentions.0.to_q.bias", {12}}}),
              HasSubstr("decoder.mid_block.attentions.0 maps 16 channels to 12"));
  EXPECT_THAT(refused(kl, {{"quant_conv.weight", {7, 8, 1, 1}}, {"quant_conv.bias", {7}}}),
              HasSubstr("gives 7 channels, which are no means and variances"));
  EXPECT_THAT(
      refused(kl, {{"decoder.conv_out.weight", {1, 8, 3, 3}}, {"decoder.conv_out.bias", {1}}}),
      HasSubstr("decoder.conv_out gives 1 channels, pictures have 3"));
  EXPECT_THAT(refused(kl, {{"post_quant_conv.weight", {4, 5, 1, 1}}}),
              HasSubstr("the encoder makes 4 channels of 1/2, the decoder takes 5 of 1/2"));

  const auto without = [](std::vector<NamedShape> tensors, const std::string& beginning) {
    std::erase_if(tensors, [&](const NamedShape& t) { return t.name.starts_with(beginning); });
    return tensors;
  };
  EXPECT_THAT(refused(without(kl, "encoder.down_blocks.0.resnets."), {}),
              HasSubstr("encoder.down_blocks.0 has no blocks"));
  const auto attentive = kl_tensors({.widths = {8, 16}, .attention_at_the_bottom = true});
  EXPECT_THAT(refused(without(attentive, "decoder.up_blocks.0.attentions.2."), {}),
              HasSubstr("decoder.up_blocks.0 has 3 blocks and 2 attentions"));
  auto tiny = taesd_tensors(8, 4);
  const std::string last = tiny.back().name.substr(0, tiny.back().name.rfind('.'));
  EXPECT_THAT(refused(tiny, {{last + ".weight", {2, 8, 3, 3}}, {last + ".bias", {2}}}),
              HasSubstr("the decoder gives 2 channels, pictures have 3"));
}

TEST_F(Files, HalvesOfATinyAutoencoderFindEachOther) {
  // Numbers as the author has them: the decoder's are one higher.
  const auto original = [](const char* half, int shift) {
    return [=](const std::string& name) {
      const std::string beginning = std::string(half) + ".layers.";
      if (!name.starts_with(beginning)) return std::string();
      const std::string rest = name.substr(beginning.size());
      return std::to_string(std::stoi(rest) + shift) + rest.substr(rest.find('.'));
    };
  };
  const auto tensors = taesd_tensors(8, 4);
  write("both.safetensors", {}, tensors);
  write("t_encoder.safetensors", {.name = original("encoder", 0)}, tensors);
  EXPECT_FALSE(load("t_encoder.safetensors")->info().has_decoder);
  write("t_decoder.safetensors", {.name = original("decoder", 1)}, tensors);
  for (const char* file : {"t_encoder.safetensors", "t_decoder.safetensors"}) {
    const auto vae = load(file);
    EXPECT_EQ(vae->info().encoder_checksum, load("both.safetensors")->info().encoder_checksum);
    EXPECT_EQ(vae->info().decoder_checksum, load("both.safetensors")->info().decoder_checksum);
    EXPECT_EQ(vae->info().name(), "TAESD f8 c4");
  }
}

}  // namespace
}  // namespace edt::test
