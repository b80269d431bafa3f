// Arrays of any type and order are converted, or refused with file and values.
#include <cmath>

#include "tests/core/storage/stored_zip.h"
#include "tests/launcher/data/import_cli.h"

namespace edt::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DataValues : public DataCli {
 protected:
  DataValues() {
    write_npy(path("x.npy"), "<f4", {kSamples, 4, 2, 2}, latents(0, kSamples));
    write_npy(path("y.npy"), "<i8", {kSamples}, labels(0, kSamples));
  }
  const std::string pair_ = "--latents x.npy --labels y.npy ";
};

TEST_F(DataValues, LabelsOfAnyNumbersAndShape) {
  const auto take = [&](const std::string& type, const std::vector<std::uint64_t>& shape,
                        const auto& values) {
    write_npy(path("y.npy"), type, shape, values);
    import(pair_);
    expect_labels();
  };
  take("|i1", {kSamples}, labels<std::int8_t>(0, kSamples));
  take("|u1", {kSamples, 1}, labels<std::uint8_t>(0, kSamples));
  take(">i2", {1, kSamples}, labels<std::int16_t>(0, kSamples));
  take("<u4", {kSamples, 1, 1}, labels<std::uint32_t>(0, kSamples));
  take(">i8", {kSamples}, labels<std::int64_t>(0, kSamples));
  take("<f4", {kSamples}, labels<float>(0, kSamples));
  std::vector<float> one_hot(kSamples * kClasses);
  std::vector<std::uint8_t> truth(one_hot.size());
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    one_hot[i * kClasses + static_cast<std::uint64_t>(label_of(i))] = 1;
    truth[i * kClasses + static_cast<std::uint64_t>(label_of(i))] = 1;
  }
  take("<f4", {kSamples, kClasses}, one_hot);
  take("|b1", {kSamples, kClasses}, truth);
}

TEST_F(DataValues, LatentsOfAnyOrder) {
  write_npy(path("x.npy"), ">f4", {kSamples, 4, 2, 2}, latents(0, kSamples));
  import(pair_);
  expect_latents();
  std::vector<double> fortran;
  for (std::uint64_t e = 0; e < 16; ++e) {  // w, h, c from the slowest to the fastest, then samples
    const std::uint64_t w = e / 8, h = e / 4 % 2, c = e % 4;
    for (std::uint64_t i = 0; i < kSamples; ++i) fortran.push_back(value_of(i, c * 4 + h * 2 + w));
  }
  write_npy(path("x.npy"), ">f8", {kSamples, 4, 2, 2}, fortran, true);
  import(pair_);
  expect_latents();
  write_bytes(path("x.npz"),
              stored_zip({{"latents.npy", npy_text("<f8", {kSamples, 4, 2, 2}, fortran, true)}}));
  import("--latents x.npz --labels y.npy");
  expect_latents();
}

TEST_F(DataValues, LabelsThatCannotBeAreRefused) {
  const auto line = [&](const std::string& type, const std::vector<std::uint64_t>& shape,
                        const auto& values) {
    write_npy(path("y.npy"), type, shape, values);
    return refused(pair_ + "--classes 5");
  };
  std::vector<std::int64_t> far = labels(0, kSamples);
  far[7] = 5;
  EXPECT_THAT(line("<i8", {kSamples}, far),
              HasSubstr("y.npy: label 5 of sample 7 is outside 0 to 4"));
  far[7] = -1;
  EXPECT_THAT(line("<i8", {kSamples}, far), HasSubstr("y.npy: label -1 of sample 7"));
  far[7] = std::int64_t{1} << 40;
  EXPECT_THAT(line("<i8", {kSamples}, far), HasSubstr("label 1099511627776 of sample 7"));
  std::vector<float> floats = labels<float>(0, kSamples);
  floats[3] = 1.5f;
  EXPECT_THAT(line("<f4", {kSamples}, floats),
              HasSubstr("label 1.5 of sample 3 is no whole number"));
  floats[3] = std::nanf("");
  EXPECT_THAT(line("<f4", {kSamples}, floats), HasSubstr("label nan of sample 3"));
  EXPECT_THAT(line("<i8", {11}, labels(0, 11)), HasSubstr("y.npy: shape [11], expected 12 labels"));
  EXPECT_THAT(line("<f4", {kSamples, 5}, std::vector<float>(60, 1.f)),
              HasSubstr("the label of sample 0 is not one-hot: 5 ones"));
  std::vector<float> few(kSamples * 3);
  for (std::uint64_t i = 0; i < kSamples; ++i) few[i * 3] = 1;
  EXPECT_THAT(line("<f4", {kSamples, 3}, few),
              AllOf(HasSubstr("--classes is 5"), HasSubstr("of 3 classes")));
  write_npy(path("y.npy"), "<i8", {kSamples}, labels(0, kSamples));
  std::vector<float> bad = latents(0, kSamples);
  bad[16 * 4 + 3] = std::nanf("");
  write_npy(path("x.npy"), "<f4", {kSamples, 4, 2, 2}, bad);
  EXPECT_THAT(refused(pair_), HasSubstr("x.npy: sample 4 contains NaN"));
}

TEST_F(DataValues, IntegersAreNoLatents) {
  write_npy(path("x.npy"), "|u1", {kSamples, 4, 2, 2}, std::vector<std::uint8_t>(kSamples * 16, 7));
  EXPECT_THAT(refused(pair_),
              AllOf(HasSubstr("x.npy"), HasSubstr("uint8"), HasSubstr("floating point")));
}

TEST_F(DataValues, ChannelsAtTheEndAreNotTakenForRows) {
  write_npy(path("x.npy"), "<f4", {kSamples, 8, 8, 4}, std::vector<float>(kSamples * 256));
  EXPECT_THAT(refused(pair_), AllOf(HasSubstr("x.npy: shape [12, 8, 8, 4] looks like [N, H, W, C]"),
                                    HasSubstr("moveaxis")));
}

TEST_F(DataValues, WhatIsWrittenIsNoInput) {
  write_npy(path("f/0.npy"), "<f4", {1, 4, 2, 2}, latents(0, 1));
  const CommandOutcome outcome =
      edt("data import --latents f --labels f --out f/set", "2>&1 >/dev/null");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, HasSubstr("--out f/set lies in --latents f"));
}

TEST_F(DataValues, DatasetJsonThatCannotBe) {
  write_npy(path("t/0/a.npy"), "<f4", {4, 2, 2}, latents(0, 1));
  const auto line = [&](const std::string& json) {
    write_bytes(path("t/dataset.json"), json);
    return refused("--latents t");
  };
  EXPECT_THAT(line("{\"labels\": null}"), HasSubstr("has no \"labels\""));
  EXPECT_THAT(line("{\"labels\": [[\"0/a.npy\", 1.5]]}"), HasSubstr("'0/a.npy' is 1.5"));
  EXPECT_THAT(line("{\"labels\": [[\"0/a.npy\", \"cat\"]]}"), HasSubstr("\"cat\", no number"));
  EXPECT_THAT(line("{\"labels\": [[\"0/a.npy\", 1], [\"0/a.npy\", 2]]}"), HasSubstr("twice"));
  EXPECT_THAT(line("{\"labels\": [[\"0/a.png\", 1]]}"),
              AllOf(HasSubstr("no label for 0/a.npy"), HasSubstr("the first for 0/a.png")));
  EXPECT_THAT(line("[1, 2"), HasSubstr("t/dataset.json"));
  write_bytes(path("t/dataset.json"), "{\"labels\": {\"0/a.npy\": [0, 0, 1]}}");
  import("--latents t");
  EXPECT_EQ(data::Dataset(path("set")).label(0), 2);
}

TEST_F(DataValues, FilesOfOtherFormatsAreNamedWithTheWayToConvertThem) {
  write_bytes(path("a.pt"), stored_zip({{"archive/data.pkl", "x"}, {"archive/data/0", "y"}}));
  EXPECT_THAT(refused("--latents a.pt"),
              AllOf(HasSubstr("a.pt: is a PyTorch file"), HasSubstr("torch.load(f, "),
                    HasSubstr("f + '.safetensors')\" a.pt")));
  write_bytes(path("old.pt"),
              std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15));
  EXPECT_THAT(refused("--latents old.pt"), HasSubstr("old.pt: is a PyTorch file"));
  write_bytes(path("b.pkl"), "\x80\x04\x95)something");
  EXPECT_THAT(refused("--latents b.pkl"),
              AllOf(HasSubstr("pickle"), HasSubstr("np.savez(f + '.npz', **d)\" b.pkl")));
  write_npy(path("o/0.npy"), "|O", {2}, std::vector<char>{'x'});
  EXPECT_THAT(refused("--latents o"),
              AllOf(HasSubstr("o/0.npy: holds Python objects"), HasSubstr("allow_pickle=True"),
                    HasSubstr("--latents o-npz")));
  EXPECT_THAT(refused("--latents o/0.npy --labels y.npy"), HasSubstr("f + '.npz', **d)\" o/0.npy"));
  fs::create_directories(path("p"));
  fs::copy(path("a.pt"), path("p/0.pt"));
  EXPECT_THAT(refused("--latents p"), HasSubstr("p/0.pt: is a PyTorch file"));
  write_bytes(path("t.tar"), std::string(257, '\0') + "ustar" + std::string(300, '\0'));
  EXPECT_THAT(refused("--latents t.tar"), HasSubstr("tar archive: unpack it first"));
  write_bytes(path("n/readme.txt"), "hello");
  EXPECT_THAT(refused("--latents n"),
              AllOf(HasSubstr("holds no files of arrays"), HasSubstr("1 .txt")));
}

// Whatever the name holds, the program in the line gets just that name.
TEST_F(DataValues, TheLineThatConvertsIsOneForAShell) {
  const std::string name = "it's \"b\" $HOME.pkl";
  write_bytes(path(name), "\x80\x04\x95)something");
  std::string quoted;
  for (const char c : name) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  const std::string line = refused("--latents '" + quoted + "'");
  const auto begin = line.find("python3 -c");
  ASSERT_NE(begin, line.npos) << line;
  // python3 -c PROGRAM NAME
  write_bytes(path("line.sh"), "python3() { printf %s \"$3\"; }\n" + line.substr(begin));
  EXPECT_EQ(shell("sh " + path("line.sh").string()).output, name) << line;
}

TEST_F(DataValues, WithoutLabelsAllSamplesAreOfOneClass) {
  const auto take = [&](const std::string& arguments) {
    fs::remove_all(path("set"));
    const CommandOutcome outcome =
        edt("data import --quiet --dtype float32 --out set --unlabelled " + arguments, "2>&1");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    const data::Dataset set(path("set"));
    ASSERT_EQ(set.size(), kSamples);
    EXPECT_EQ(set.description().classes, 1);
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      EXPECT_EQ(set.label(i), 0);
      EXPECT_EQ(stored(i), latents(i, 1)) << i;
    }
  };
  take("--latents x.npy");
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const std::string name = fmt::format("{}.npy", i), part = i < 7 ? "00000/" : "00001/";
    for (const std::string& file : {"f/" + name, "t/" + part + name}) {
      write_npy(path(file), "<f4", {4, 2, 2}, latents(i, 1));
    }
  }
  take("--latents f");
  take("--latents t");
  EXPECT_THAT(refused("--latents x.npy"), HasSubstr("--unlabelled"));
  EXPECT_THAT(refused("--unlabelled " + pair_), HasSubstr("--unlabelled and --labels are both"));
  EXPECT_THAT(refused("--unlabelled --latents t --layout classes"),
              HasSubstr("--unlabelled and --layout classes"));
  EXPECT_THAT(refused("--unlabelled --latents x.npy --classes 3"), HasSubstr("--classes is 3"));
}

// Of what NumPy saves without a type, or with several.
TEST_F(DataValues, TypesThatNumPyDoesNotKnowAreNamed) {
  write_npy(path("b.npy"), "<V2", {kSamples, 4, 2, 2}, std::vector<std::int16_t>(kSamples * 16));
  EXPECT_THAT(refused("--latents b.npy --labels y.npy"),
              AllOf(HasSubstr("b.npy: element type '<V2'"), HasSubstr("bfloat16"),
                    HasSubstr("astype('float32')")));
  const std::string header =
      "{'descr': [('z', '<f4'), ('y', '<i8')], 'fortran_order': False, "
      "'shape': (1,), }\n";
  write_bytes(path("s.npy"), std::string("\x93NUMPY\x01\x00", 8) +
                                 static_cast<char>(header.size()) + '\0' + header +
                                 std::string(12, '\0'));
  EXPECT_THAT(refused("--latents s.npy --labels y.npy"),
              HasSubstr("s.npy: its elements have fields"));
}

}  // namespace
}  // namespace edt::test
