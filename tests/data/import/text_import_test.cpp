// Texts that go beside latents: where they may lie, and what tells that they do not belong there.
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "core/storage/safetensors.h"
#include "data/dataset.h"
#include "data/import/adopt.h"
#include "data/import/import.h"
#include "data/import/repack.h"
#include "data/inspect.h"
#include "data/text_file.h"
#include "tests/core/storage/expect_error.h"
#include "tests/core/storage/stored_zip.h"
#include "tests/data/import/npy_files.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

namespace fs = std::filesystem;
using edt::test::TempDir;
using test::npy_text;
using test::write_bytes;
using test::write_npy;

constexpr std::uint64_t kTexts = 6, kRoom = 4, kWidth = 3;
const std::vector<std::int64_t> kLengths{1, 4, 2, 3, 1, 2};

// Value e of text i, exact in float16.
float feature_at(std::uint64_t i, std::uint64_t e) {
  return static_cast<float>(i + 1) + static_cast<float>(e) / 16;
}

std::vector<float> features_at(std::uint64_t i, std::uint64_t tokens) {
  std::vector<float> values;
  for (std::uint64_t e = 0; e < tokens * kWidth; ++e) values.push_back(feature_at(i, e));
  return values;
}

// [texts, 4, 3]; behind the last token stands what no text may have.
std::vector<float> padded(float behind = 1e9f) {
  std::vector<float> values;
  for (std::uint64_t i = 0; i < kTexts; ++i) {
    auto text = features_at(i, static_cast<std::uint64_t>(kLengths[i]));
    text.resize(kRoom * kWidth, behind);
    values.insert(values.end(), text.begin(), text.end());
  }
  return values;
}

std::vector<float> joined() {
  std::vector<float> values;
  for (std::uint64_t i = 0; i < kTexts; ++i) {
    const auto text = features_at(i, static_cast<std::uint64_t>(kLengths[i]));
    values.insert(values.end(), text.begin(), text.end());
  }
  return values;
}

class ImportTexts : public testing::Test {
 protected:
  ImportTexts() {
    std::vector<float> latents(kTexts * 24);
    for (std::size_t e = 0; e < latents.size(); ++e) {
      latents[e] = static_cast<float>(e % 97) / 64 - 0.5f;
    }
    write_npy(path("x.npy"), "<f4", {kTexts, 2, 3, 4}, latents);
    write_npy(path("y.npy"), "<i8", {kTexts}, std::vector<std::int64_t>{0, 1, 2, 3, 4, 0});
    write_npy(path("t.npy"), "<f4", {kTexts, kRoom, kWidth}, padded());
    write_npy(path("n.npy"), "<i4", {kTexts}, std::vector<std::int32_t>{1, 4, 2, 3, 1, 2});
    write_npy(path("null.npy"), "<f4", {2, kWidth}, std::vector<float>{1, 2, 3, 4, 5, 6});
    options_.latents = path("x.npy");
    options_.labels = path("y.npy");
    options_.out = path("out");
    options_.classes = 5;
    options_.scaled = true;
    options_.samples_per_shard = 4;
  }

  fs::path path(const std::string& name) const { return directory_ / name; }
  TextOptions given(const std::string& text, const std::string& lengths = "",
                    const std::string& null = "null.npy") const {
    return {.text = path(text),
            .lengths = lengths.empty() ? fs::path() : path(lengths),
            .null_text = null.empty() ? fs::path() : path(null)};
  }
  WriteReport import(const TextOptions& text) {
    fs::remove_all(path("out"));
    options_.text = text;
    return import_data(options_);
  }

  void expect_texts(const std::string& out = "out",
                    std::span<const std::int64_t> lengths = kLengths,
                    const std::vector<float>& null = {1, 2, 3, 4, 5, 6}) const {
    const Dataset set(path(out));
    ASSERT_EQ(set.size(), kTexts);
    EXPECT_EQ(set.null_text(), null);
    for (std::uint64_t i = 0; i < kTexts; ++i) {
      EXPECT_EQ(set.text_of(i), features_at(i, static_cast<std::uint64_t>(lengths[i]))) << i;
    }
    EXPECT_THAT(verify(path(out)).problems, testing::IsEmpty());
  }
  void expect_refused(const TextOptions& text, const std::vector<std::string>& parts,
                      int line = __builtin_LINE()) {
    const testing::ScopedTrace trace(__FILE__, line, "");
    try {
      import(text);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      for (const std::string& part : parts) EXPECT_THAT(error.what(), testing::HasSubstr(part));
    }
    EXPECT_TRUE(!fs::exists(path("out")) || fs::is_empty(path("out")));
  }

  const TempDir directory_;
  ImportOptions options_;
};

TEST_F(ImportTexts, OfEachFormat) {
  const WriteReport report = import(given("t.npy", "n.npy"));
  EXPECT_THAT(report.source, testing::AllOf(testing::HasSubstr("up to 4 tokens of 3 channels"),
                                            testing::HasSubstr("null text of 2 tokens"),
                                            testing::HasSubstr("taken to be in the same order")));
  expect_texts();

  const std::vector<float> null{9, 8, 7};
  write_bytes(path("t.npz"), edt::test::stored_zip(
                                 {{"text.npy", npy_text("<f4", {kTexts, kRoom, kWidth}, padded())},
                                  {"lengths.npy", npy_text("<i8", {kTexts}, kLengths)},
                                  {"null_text.npy", npy_text("<f4", {1, 1, kWidth}, null)}}));
  import(given("t.npz", "", ""));
  expect_texts("out", kLengths, null);
  // What is said counts before what lies beside.
  const std::vector<std::int64_t> shorter{1, 1, 1, 1, 1, 2};
  write_npy(path("short.npy"), "<i8", {kTexts}, shorter);
  import(given("t.npz", "short.npy"));
  expect_texts("out", shorter);

  h5::File file = h5::File::create(path("t.h5"));
  const auto values = joined();
  file.create_dataset("words", h5::Type::kFloat32, {13, kWidth})
      .write(h5::Type::kFloat32, values.data());
  const std::vector<std::int64_t> begin{0, 1, 5, 7, 10, 11, 13};
  file.create_dataset("text_begin", h5::Type::kInt64, {7}).write(h5::Type::kInt64, begin.data());
  h5::File::Bytes stored;
  (void)file.create_strings("captions", std::vector<std::string>{"a", "b", "c", "d", "e", "f"},
                            &stored);
  file.write_attribute("text_encoder", "bert");
  file.close();
  TextOptions ragged = given("t.h5");
  ragged.key = "words";
  import(ragged);
  expect_texts();
  EXPECT_EQ(Dataset(path("out")).caption(3), "d");
  EXPECT_EQ(Dataset(path("out")).description().text.encoder, "bert");
  ragged.encoder = "another";
  import(ragged);
  EXPECT_EQ(Dataset(path("out")).description().text.encoder, "another");
}

TEST_F(ImportTexts, OfFilesOfOneEachAndOfSeveral) {
  for (std::uint64_t i = 0; i < kTexts; ++i) {
    const auto tokens = static_cast<std::uint64_t>(kLengths[i]);
    write_npy(path(fmt::format("one/{}.npy", i)), "<f4", {tokens, kWidth}, features_at(i, tokens));
  }
  import(given("one"));
  expect_texts();
  const auto all = padded(0);
  const std::size_t row = kRoom * kWidth;
  write_npy(path("two/0.npy"), "<f4", {4, kRoom, kWidth},
            std::vector<float>(all.begin(), all.begin() + 4 * row));
  write_npy(path("two/1.npy"), "<f4", {2, kRoom, kWidth},
            std::vector<float>(all.begin() + 4 * row, all.end()));
  import(given("two", "n.npy"));
  expect_texts();
  // Pooled: a token each.
  std::vector<float> pooled;
  for (std::uint64_t i = 0; i < kTexts; ++i) {
    const auto text = features_at(i, 1);
    pooled.insert(pooled.end(), text.begin(), text.end());
  }
  write_npy(path("pooled.npy"), "<f2", {kTexts, kWidth}, [&] {
    std::vector<half_bits> halves(pooled.size());
    float_to_half(pooled, halves);
    return halves;
  }());
  import(given("pooled.npy"));
  expect_texts("out", std::vector<std::int64_t>(kTexts, 1));
}

TEST_F(ImportTexts, Captions) {
  write_bytes(path("c.txt"), "a cat\r\n\ncaf\u00e9\nd\ne\nf");
  write_bytes(path("c.json"), R"(["a cat", "", "café", "d", "e", "f"])");
  for (const char* name : {"c.txt", "c.json"}) {
    TextOptions text = given("t.npy", "n.npy");
    text.captions = path(name);
    import(text);
    const Dataset set(path("out"));
    EXPECT_EQ(set.caption(0), "a cat");
    EXPECT_EQ(set.caption(1), "");
    EXPECT_EQ(set.caption(2), "caf\u00e9");
    EXPECT_EQ(set.caption(5), "f");
    expect_texts();
  }
  const auto refuse = [&](const std::string& name, const std::vector<std::string>& parts) {
    TextOptions text = given("t.npy", "n.npy");
    text.captions = path(name);
    expect_refused(text, parts);
  };
  write_bytes(path("five.txt"), "1\n2\n3\n4\n5\n");
  refuse("five.txt", {"five.txt: 5 captions", "has 6 samples"});
  write_bytes(path("six.txt"), "1\n2\n3\n4\n5\n\xff\n");
  write_bytes(path("bad.json"), R"(["a", 2])");
  refuse("bad.json", {"bad.json: caption 1 is 2"});
  write_bytes(path("object.json"), R"({"a": "b"})");
  refuse("object.json", {"object.json", "no JSON list"});
  refuse("x.npy", {"--captions", "x.npy: is an .npy array, which holds no captions"});
  refuse("none.txt", {"none.txt: there is no such file"});
  TextOptions text = given("t.npy", "n.npy");
  text.captions = path("six.txt");
  EXPECT_ERROR(import(text), DataError, "six.txt: caption 5", "UTF-8");
  write_bytes(path("zero.txt"), std::string("1\n2\0\n3\n4\n5\n6\n", 13));
  text.captions = path("zero.txt");
  EXPECT_ERROR(import(text), DataError, "zero.txt: caption 1", "a byte 0");
  write_bytes(path("mark.txt"),
              "\xef\xbb\xbf"
              "1\n\xef\xbb\xbf\n3\n4\n5\n6\n");
  text.captions = path("mark.txt");
  import(text);
  EXPECT_EQ(Dataset(path("out")).caption(0), "1") << "a byte-order mark is none of the words";
  EXPECT_EQ(Dataset(path("out")).caption(1), "\xef\xbb\xbf");
}

TEST_F(ImportTexts, CaptionsOfSeveralFiles) {
  fs::create_directories(path("texts"));
  const auto write = [&](const std::string& name, std::uint64_t first, std::uint64_t last,
                         std::uint64_t captions) {
    h5::File file = h5::File::create(path("texts/" + name));
    const std::uint64_t count = last - first;
    file.create_dataset("text", h5::Type::kFloat32, {count, kWidth})
        .write(h5::Type::kFloat32, std::vector<float>(count * kWidth, 1).data());
    if (captions == 0) return;
    std::vector<std::string> words;
    for (std::uint64_t i = first; i < first + captions; ++i)
      words.push_back(fmt::format("no {}", i));
    h5::File::Bytes stored;
    (void)file.create_strings("captions", words, &stored);
  };
  write("0.h5", 0, 4, 4);
  write("1.h5", 4, 6, 2);
  import(given("texts"));
  for (std::uint64_t i = 0; i < kTexts; ++i) {
    EXPECT_EQ(Dataset(path("out")).caption(i), fmt::format("no {}", i));
  }
  write("1.h5", 4, 6, 1);
  EXPECT_ERROR(import(given("texts")), DataError, "1.h5: 1 captions of 2 texts");
  write("1.h5", 4, 6, 0);
  expect_refused(given("texts"), {"1.h5: has no 'captions'", "0.h5 has"});
}

// Where texts begin and end is told in a file beside them.
TEST_F(ImportTexts, BeginsThatAreNone) {
  const auto refuse = [&](const std::vector<std::int64_t>& begin,
                          const std::vector<std::string>& parts) {
    h5::File file = h5::File::create(path("b.h5"));
    file.create_dataset("text", h5::Type::kFloat32, {13, kWidth})
        .write(h5::Type::kFloat32, joined().data());
    file.create_dataset("text_begin", h5::Type::kInt64, {begin.size()})
        .write(h5::Type::kInt64, begin.data());
    file.close();
    expect_refused(given("b.h5"), parts);
  };
  refuse({0, 1, 5, 4, 10, 11, 13}, {"b.h5:/text_begin: value 3 is 4, below 5 before it"});
  refuse({1, 2, 5, 7, 10, 11, 13}, {"value 0 is 1, the first text begins at 0"});
  refuse({0, 1, 5, 7, 10, 11, 12}, {"the last text ends at 12", "/text has 13 tokens"});
  refuse({0}, {"1 values"});
}

TEST_F(ImportTexts, WhatDoesNotBelong) {
  expect_refused(given("t.npy", "n.npy", ""), {"t.npy: --null-text is needed"});
  expect_refused(given("none.npy"), {"--text", "none.npy: there is no such file"});
  write_npy(path("five.npy"), "<f4", {5, kRoom, kWidth}, std::vector<float>(5 * 12, 1));
  expect_refused(given("five.npy"), {"five.npy: 5 texts", "x.npy has 6 samples"});
  write_npy(path("n5.npy"), "<i8", {5}, std::vector<std::int64_t>{1, 1, 1, 1, 1});
  expect_refused(given("t.npy", "n5.npy"), {"n5.npy: shape [5]", "6 lengths"});
  write_npy(path("n0.npy"), "<i8", {6}, std::vector<std::int64_t>{1, 0, 1, 1, 1, 1});
  expect_refused(given("t.npy", "n0.npy"), {"n0.npy: text 1 has 0 tokens", "1 to 4"});
  write_npy(path("n9.npy"), "<i8", {6}, std::vector<std::int64_t>{1, 1, 9, 1, 1, 1});
  expect_refused(given("t.npy", "n9.npy"), {"n9.npy: text 2 has 9 tokens", "1 to 4"});
  write_npy(path("nf.npy"), "<f4", {6}, std::vector<float>{1, 1.5f, 1, 1, 1, 1});
  expect_refused(given("t.npy", "nf.npy"), {"nf.npy: value 1 is 1.5"});
  write_npy(path("null4.npy"), "<f4", {2, 4}, std::vector<float>(8, 1));
  expect_refused(given("t.npy", "n.npy", "null4.npy"),
                 {"null4.npy: shape [2, 4]", "[tokens, 3]", "t.npy"});
  write_npy(path("flat.npy"), "<f4", {kTexts}, std::vector<float>(kTexts, 1));
  expect_refused(given("flat.npy"), {"flat.npy: shape [6]", "[N, tokens, channels]"});
  // Found while they are read: nothing of a shard is left.
  EXPECT_ERROR(import(given("t.npy")), DataError, "t.npy", "text 0", "beyond the range of float16");
  write_npy(path("nan.npy"), "<f4", {kTexts, kRoom, kWidth}, padded(NAN));
  EXPECT_ERROR(import(given("nan.npy")), DataError, "nan.npy", "text 0", "NaN");
  EXPECT_NO_THROW(import(given("nan.npy", "n.npy")));  // behind the last token
  write_npy(path("zero.npy"), "<f4", {kTexts, kWidth}, std::vector<float>(kTexts * kWidth));
  EXPECT_ERROR(import(given("zero.npy")), DataError, "zero.npy", "text 0", "never written");
  write_npy(path("silent.npy"), "<f4", {2, kWidth}, std::vector<float>(2 * kWidth));
  expect_refused(given("t.npy", "n.npy", "silent.npy"), {"silent.npy", "zero everywhere"});
  write_npy(path("tiny.npy"), "<f4", {kTexts, kWidth}, std::vector<float>(kTexts * kWidth, 1e-9f));
  EXPECT_ERROR(import(given("tiny.npy")), DataError, "tiny.npy", "text 0", "1e-09", "as zero");
}

TEST_F(ImportTexts, OtherInputsAreNoticed) {
  import(given("t.npy", "n.npy"));
  EXPECT_EQ(import_data(options_).written, 0u);
  write_npy(path("null.npy"), "<f4", {2, kWidth}, std::vector<float>{1, 2, 3, 4, 5, 7});
  EXPECT_ERROR(import_data(options_), DataError, "--null-text: ", "was");
}

TEST_F(ImportTexts, RepackKeepsThemAndPutsThemBesideASet) {
  TextOptions text = given("t.npy", "n.npy");
  write_bytes(path("c.txt"), "a\nb\nc\nd\ne\nf\n");
  text.captions = path("c.txt");
  import(text);
  repack({.in = path("out"), .out = path("again"), .samples_per_shard = 5});
  expect_texts("again");
  EXPECT_EQ(Dataset(path("again")).caption(4), "e");
  EXPECT_ERROR(repack({.in = path("out"), .out = path("third"), .text = text}), UsageError,
               "has texts already", "t.npy");
  import({});
  EXPECT_FALSE(Dataset(path("out")).description().text.present());
  repack({.in = path("out"), .out = path("beside"), .text = text});
  expect_texts("beside");
  EXPECT_EQ(Dataset(path("beside")).caption(5), "f");
}

// As h5py writes it, without any attribute: nothing of the texts is touched.
TEST_F(ImportTexts, SetsOfOtherProgramsAreAdopted) {
  const fs::path file_path = path("adopted/a.h5");
  fs::create_directories(file_path.parent_path());
  h5::File file = h5::File::create(file_path);
  const auto add = [&](const char* name, h5::Type type, const h5::Shape& shape,
                       const std::vector<float>& values) {
    file.create_dataset(name, type, shape).write(h5::Type::kFloat32, values.data());
  };
  std::vector<float> latents(kTexts * 2 * 3 * 4, 0.5f);
  for (std::size_t e = 0; e < latents.size(); e += 2) latents[e] = -0.5f;
  add("latents", h5::Type::kFloat32, {kTexts, 2, 3, 4}, latents);
  add("text", h5::Type::kFloat16, {13, kWidth}, joined());
  add("null_text", h5::Type::kFloat16, {1, kWidth}, {1, 2, 3});
  const std::vector<std::int64_t> begin{0, 1, 5, 7, 10, 11, 13}, labels(kTexts);
  file.create_dataset("text_begin", h5::Type::kInt64, {7}).write(h5::Type::kInt64, begin.data());
  file.create_dataset("labels", h5::Type::kInt64, {kTexts}).write(h5::Type::kInt64, labels.data());
  file.close();
  EXPECT_EQ(adopt({.path = path("adopted"), .classes = 2, .scale = 1}).adopted, 1u);
  expect_texts("adopted", kLengths, {1, 2, 3});
  EXPECT_EQ(Dataset(path("adopted")).description().text.tokens, 4u);
}

TEST(ParseFeatures, TheNameOfTextsIsTheirs) {
  for (const char* name : {"text", "text-length"}) {
    EXPECT_ERROR((void)parse_features({.features = {std::string(name) + "=a.npy"}}), UsageError,
                 name, "--text");
  }
}

// A shard of ours, and a file of texts alone, are as good as what an encoder wrote.
TEST_F(ImportTexts, OfOurOwnFiles) {
  import(given("t.npy", "n.npy"));
  repack({.in = path("out"), .out = path("one"), .samples_per_shard = 6});
  fs::rename(path("one/shard-00000-of-00001.h5"), path("texts.h5"));
  import(given("texts.h5", "", ""));
  expect_texts();
}

}  // namespace
}  // namespace edt::data
