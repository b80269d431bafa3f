// Texts beside latents, from the writer to the reader.
#include "data/text.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "data/dataset.h"
#include "data/inspect.h"
#include "data/prefetcher.h"
#include "data/text_file.h"
#include "tests/core/storage/expect_error.h"
#include "tests/data/small_set.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::TempDir;
using test::caption_at;
using test::small_description;
using test::small_text;
using test::text_values;
using test::tokens_of;
using test::write_small_set;
using testing::HasSubstr;
using testing::IsEmpty;

Description with_text() {
  Description d = small_description();
  d.text = small_text();
  return d;
}

const std::vector<float> kNull{0, -1, -2, -3, -4, -5, -6, -7};

void expect_all_texts(const fs::path& path) {
  const Dataset set(path, {.arrays = {{"text", {5, 4}}, {"text-length", {1}}}});
  ASSERT_EQ(set.size(), 20u);
  EXPECT_EQ(set.null_text(), kNull);
  EXPECT_EQ(set.description().text.tokens, 3u);
  EXPECT_EQ(set.description().text.encoder, "some encoder");
  ReadScratch scratch;
  std::vector<SampleRef> refs;
  for (std::uint64_t i = 0; i < 20; ++i) {
    refs.push_back({(i * 7) % 20, 0, false});
    EXPECT_EQ(set.text_of(i), text_values(i)) << i;
    EXPECT_EQ(set.caption(i), caption_at(i));
  }
  std::vector<float> text(20 * 20, -1), length(20);
  set.read_array(0, refs, scratch, text);
  set.read_array(1, refs, scratch, length);
  for (std::size_t k = 0; k < refs.size(); ++k) {
    const std::uint64_t i = refs[k].index;
    std::vector<float> padded = text_values(i);
    padded.resize(20);
    EXPECT_THAT(std::span(text).subspan(k * 20, 20), testing::ElementsAreArray(padded)) << i;
    EXPECT_EQ(length[k], static_cast<float>(tokens_of(i)));
  }
  EXPECT_THAT(verify(path).problems, IsEmpty());
}

TEST(Text, EveryTextComesBack) {
  const TempDir directory;
  write_small_set(directory / "set", with_text());
  expect_all_texts(directory / "set");
  const Dataset set(directory / "set", {.arrays = {{"text", {}}, {"text-length", {}}}});
  for (const auto& shard : set.shards()) EXPECT_TRUE(shard->sealed());
  EXPECT_EQ(set.arrays()[0].elements, 3u * 4);
  EXPECT_EQ(set.read_bytes(), 48u + 39 * 8 / 20);  // 39 tokens in all
  EXPECT_TRUE(describe(directory / "set").description.text.captions);
}

TEST(Text, BatchesCarryIt) {
  const TempDir directory;
  Description d = with_text();
  d.flipped = true;
  write_small_set(directory / "set", d);
  const Dataset set(directory / "set", {.arrays = {{"text-length", {1}}, {"text", {3, 4}}}});
  Prefetcher prefetcher(set, set.make_order({.seed = 5}), 4,
                        [](std::uint64_t number, std::span<std::uint64_t> positions) {
                          for (std::size_t i = 0; i < 4; ++i) positions[i] = number * 4 + i;
                        });
  int mirrored = 0;
  for (int number = 0; number < 10; ++number) {
    const Batch& batch = prefetcher.next();
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint64_t sample = batch.samples[i].index;
      mirrored += batch.samples[i].flipped;
      EXPECT_EQ(batch.arrays[0][i], static_cast<float>(tokens_of(sample)));
      std::vector<float> padded = text_values(sample);  // of mirrored copies too
      padded.resize(12);
      EXPECT_THAT(std::span(batch.arrays[1]).subspan(i * 12, 12),
                  testing::ElementsAreArray(padded));
    }
  }
  EXPECT_GT(mirrored, 0);
}

TEST(Text, RequestsThatCannotBeMet) {
  const TempDir directory;
  write_small_set(directory / "set", with_text());
  write_small_set(directory / "none");
  const auto open = [&](const char* set, const std::string& name, const h5::Shape& shape) {
    return Dataset(directory / set, {.arrays = {{name, shape}}});
  };
  EXPECT_ERROR(open("none", "text", {5, 4}), DataError, "there are no texts", "'text'");
  EXPECT_ERROR(open("none", "text-length", {1}), DataError, "there are no texts", "'text-length'");
  EXPECT_ERROR(open("set", "text", {5, 8}), DataError, "texts of 4 channels", "[5, 8]");
  EXPECT_ERROR(open("set", "text", {2, 4}), DataError, "up to 3 tokens", "2 is asked for");
  EXPECT_ERROR(open("set", "text-length", {2}), DataError, "[1]", "[2]");
  EXPECT_ERROR(Dataset(directory / "none").null_text(), DataError, "there are no texts");
  EXPECT_ERROR(Dataset(directory / "set").text_of(20), DataError, "sample 20", "there are 20");
}

void flip_byte_in(const fs::path& file, std::uint64_t offset) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(stream.get() ^ 0x10);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
}

std::string whole_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Text, DamageIsNoticedInEachPart) {
  const std::string name = "shard-00001-of-00003.h5";
  for (const std::string part : {"text", "text_begin", "null_text", "captions"}) {
    const TempDir directory;
    write_small_set(directory / "set", with_text());
    const fs::path file = directory / "set" / name;
    // Captions are texts, which have no type of numbers: they are looked for.
    const std::uint64_t offset = part == "captions"
                                     ? whole_file(file).find(caption_at(9)) + 3
                                     : h5::File::open(file).dataset(part).raw_offset().value() + 9;
    flip_byte_in(file, offset);
    const VerifyReport report = verify(directory / "set");
    ASSERT_EQ(report.problems.size(), 1u) << part;
    EXPECT_THAT(report.problems[0], testing::AllOf(HasSubstr(name), HasSubstr("checksum")));
    if (part != "text") continue;
    EXPECT_THAT(report.problems[0], HasSubstr(name + ":/text: tokens 0 to"));
    const Dataset set(directory / "set");
    EXPECT_ERROR(set.text_of(8), DataError, "/text", "checksum");
    EXPECT_NO_THROW(set.text_of(0));  // of another shard
  }
}

TEST(Text, ATruncatedShardIsRefused) {
  const TempDir directory;
  write_small_set(directory / "set", with_text());
  const fs::path file = directory / "set" / "shard-00002-of-00003.h5";
  fs::resize_file(file, fs::file_size(file) - 100);
  EXPECT_ERROR(Dataset(directory / "set"), DataError, "shard-00002", "truncated");
}

TEST(Text, ShardsHaveItInCommon) {
  const std::string name = "shard-00001-of-00003.h5";
  const auto differs = [&](const std::function<void(TextDescription&)>& change) {
    const TempDir directory;
    Description d = with_text();
    write_small_set(directory / "set", d);
    change(d.text);
    write_small_set(directory / "other", d);
    fs::copy_file(directory / "other" / name, directory / "set" / name,
                  fs::copy_options::overwrite_existing);
    try {
      const Dataset set(directory / "set");
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(name));
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(differs([](TextDescription& text) { text.encoder = "another"; }),
              testing::AllOf(HasSubstr("encoder of texts: another"), HasSubstr("some encoder")));
  EXPECT_THAT(differs([](TextDescription& text) { text.captions = false; }),
              HasSubstr("captions: no"));
  EXPECT_THAT(differs([](TextDescription& text) {
                auto null = *text.null;
                null[5] = float_to_half(9);
                text.null = std::make_shared<std::vector<half_bits>>(null);
              }),
              testing::AllOf(HasSubstr("null text: value 1 of token 1 is 9"), HasSubstr("has -5")));
  EXPECT_THAT(differs([](TextDescription& text) {
                text.null = std::make_shared<std::vector<half_bits>>(4, float_to_half(1));
              }),
              HasSubstr("null text of tokens: 1"));
  EXPECT_THAT(differs([](TextDescription& text) { text = {}; }), HasSubstr("texts of channels: 0"));
}

TEST(Text, WhatCannotBeStored) {
  const TempDir directory;
  const Description d = with_text();
  const auto write = [&](const std::function<void(StoredTexts&)>& change) {
    ShardWriter writer(directory / "a.h5", d, 1, std::nullopt, 1);
    StoredTexts texts;
    test::append_text(d, 0, texts);
    change(texts);
    writer.append(test::values_of(d, 0), {}, std::vector<std::int32_t>{0}, {}, texts);
    writer.finish();
  };
  EXPECT_NO_THROW(write([](StoredTexts&) {}));
  EXPECT_ERROR(write([](StoredTexts& t) { t.features[1] = float_to_half(INFINITY); }), DataError,
               "texts 0 to 0", "NaN, infinity");
  EXPECT_ERROR(write([](StoredTexts& t) { t.tokens[0] = 0; }), DataError, "text 0", "0 tokens",
               "1 to 3");
  EXPECT_ERROR(write([](StoredTexts& t) { t.tokens[0] = 4; }), DataError, "4 tokens", "1 to 3");
  EXPECT_ERROR(write([](StoredTexts& t) {
                 t.tokens[0] = 2;
                 t.features.resize(8);
               }),
               DataError, "2 tokens", "1 were announced");
  EXPECT_ERROR(write([](StoredTexts& t) { t.captions[0] = "\xff"; }), DataError, "caption 0",
               "UTF-8");
  EXPECT_ERROR(write([](StoredTexts& t) { t.captions[0] = std::string("a\0b", 3); }), DataError,
               "caption 0", "a byte 0");
  EXPECT_ERROR(write([](StoredTexts& t) { t.captions[0].assign(70000, 'a'); }), DataError,
               "70000 bytes", "65536");
  EXPECT_ERROR(write([](StoredTexts& t) { std::ranges::fill(t.features, half_bits{0}); }),
               DataError, "text 0", "zero everywhere");
  Description silent = d;
  silent.text.null = std::make_shared<std::vector<half_bits>>(4);
  EXPECT_ERROR(write_small_set(directory / "set", silent), DataError, "the null text",
               "zero everywhere");
  Description longer = d;
  longer.text.null = std::make_shared<std::vector<half_bits>>(16);
  EXPECT_ERROR(write_small_set(directory / "set", longer), DataError, "4 tokens", "1 to 3");
}

// What h5py would write: no seal, no checksums.
struct PlainTexts {
  std::vector<std::int64_t> begin{0, 2, 3, 4, 6};
  h5::Shape shape{6, 2}, null_shape{1, 2};
  h5::Type type = h5::Type::kFloat16;
  float text_value = 0.5f;
  std::vector<std::string> captions{};
  std::int64_t tokens = 0;  // attribute; 0: none
  bool latents = true, with_begin = true, with_null = true;

  void write(const fs::path& path) const {
    h5::File file = h5::File::create(path);
    const auto add = [&](const char* name, h5::Type as, const h5::Shape& of, float value = 0.5f) {
      const std::vector<float> values(96, value);
      file.create_dataset(name, as, of).write(h5::Type::kFloat32, values.data());
    };
    if (latents) {
      add("latents", h5::Type::kFloat32, {4, 2, 3, 4});
      const std::vector<std::int32_t> labels{0, 1, 2, 3};
      file.create_dataset("labels", h5::Type::kInt32, {4}).write(h5::Type::kInt32, labels.data());
      for (const auto& [attribute, number] : {std::pair{"format_version", 1},
                                              {"num_classes", 5},
                                              {"image_size", 24},
                                              {"complete", 1}}) {
        file.write_attribute(attribute, number);
      }
      file.write_attribute("scale", 1.0);
    }
    add("text", type, shape, text_value);
    if (with_null) add("null_text", type, null_shape);
    if (with_begin) {
      file.create_dataset("text_begin", h5::Type::kInt64, {begin.size()})
          .write(h5::Type::kInt64, begin.data());
    }
    if (tokens > 0) file.write_attribute("text_tokens", tokens);
    h5::File::Bytes stored;
    if (!captions.empty()) (void)file.create_strings("captions", captions, &stored);
    file.close();
  }
};

TEST(Text, OfOtherPrograms) {
  const TempDir directory;
  const fs::path path = directory / "a.h5";
  const auto open = [&](const PlainTexts& texts) {
    texts.write(path);
    return Dataset(path).description().text;
  };
  EXPECT_EQ(open({}).tokens, 2u);
  EXPECT_EQ(open({.tokens = 7}).tokens, 7u);
  EXPECT_EQ(Dataset(path).text_of(3), std::vector<float>(4, 0.5f));
  EXPECT_EQ(Dataset(path).caption(3), "");
  EXPECT_TRUE(open({.captions = {"a", "", "b", "c"}}).captions);
  EXPECT_EQ(Dataset(path).caption(2), "b");
  EXPECT_FALSE(open({.with_begin = false}).present());  // some other text: passed over
  EXPECT_ERROR(open({.with_null = false}), DataError, "null_text", "missing");
  EXPECT_ERROR(open({.begin = {0, 2, 3, 6}}), DataError, "text_begin", "4 values", "expected 5");
  EXPECT_ERROR(open({.begin = {0, 3, 2, 4, 6}}), DataError, "text 1", "from token 3 to 2");
  EXPECT_ERROR(open({.begin = {0, 2, 2, 4, 6}}), DataError, "text 1", "null_text");
  EXPECT_ERROR(open({.begin = {0, 2, 3, 4, 9}}), DataError, "from token 0 to 9", "0 to 6");
  EXPECT_ERROR(open({.begin = {1, 2, 3, 4, 6}}), DataError, "from token 1 to 6", "0 to 6");
  EXPECT_ERROR(open({.tokens = 1}), DataError, "text 0 has 2 tokens", "no more than 1");
  EXPECT_ERROR(open({.type = h5::Type::kFloat32}), DataError, "/text", "float32");
  EXPECT_ERROR(open({.null_shape = {1, 3}}), DataError, "null_text", "[1, 3]", "2]");
  EXPECT_ERROR(open({.captions = {"a", "b"}}), DataError, "captions: [2]", "4 texts");
  open({.text_value = std::nanf("")});
  EXPECT_ERROR(Dataset(path).text_of(1), DataError, "/text: token 2", "NaN");
}

TEST(Text, PicturesMayComeBackWithOtherTexts) {
  const TempDir directory;
  fs::create_directories(directory / "set");
  PlainTexts{}.write(directory / "set/a.h5");
  PlainTexts{.text_value = 0.25f}.write(directory / "set/b.h5");
  const Dataset set(directory / "set");
  EXPECT_EQ(set.text_of(0)[0], 0.5f);
  EXPECT_EQ(set.text_of(4)[0], 0.25f);
  PlainTexts{}.write(directory / "set/c.h5");
  EXPECT_ERROR(Dataset(directory / "set"), DataError, "a.h5", "c.h5", "the same samples");
}

TEST(Text, FilesOfTextsAlone) {
  const TempDir directory;
  const fs::path path = directory / "prompts.h5";
  const Description d = with_text();
  StoredTexts texts;
  for (std::uint64_t i = 0; i < 5; ++i) test::append_text(d, i, texts);
  write_text_file(path, d.text, texts);
  const auto check = [&](const fs::path& file, std::uint64_t first, std::uint64_t count) {
    const TextFile read(file);
    ASSERT_EQ(read.size(), count);
    EXPECT_EQ(read.null_text(), kNull);
    EXPECT_EQ(read.description().encoder, "some encoder");
    for (std::uint64_t i = 0; i < count; ++i) {
      EXPECT_EQ(read.features(i), text_values(first + i));
      EXPECT_EQ(read.caption(i), caption_at(first + i));
    }
    EXPECT_NO_THROW(read.verify());
    EXPECT_ERROR((void)read.features(count), DataError, fmt::format("there are {}", count));
  };
  check(path, 0, 5);
  write_small_set(directory / "set", d);
  check(directory / "set" / "shard-00001-of-00003.h5", 8, 8);

  flip_byte_in(path, h5::File::open(path).dataset("text").raw_offset().value() + 4);
  EXPECT_ERROR((void)TextFile(path).features(0), DataError, "prompts.h5:/text", "checksum");
  PlainTexts{.latents = false}.write(path);
  EXPECT_EQ(TextFile(path).features(1), std::vector<float>(2, 0.5f));
  EXPECT_EQ(TextFile(path).caption(1), "");
  PlainTexts{.latents = false, .with_begin = false}.write(path);
  EXPECT_ERROR(TextFile{path}, DataError, "holds no texts", "text_begin");
  EXPECT_ERROR(write_text_file(path, d.text, {}), DataError, "no texts to write");
}

}  // namespace
}  // namespace edt::data
