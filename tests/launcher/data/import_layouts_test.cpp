// Each layout that people have is imported by one command, to the last value.
#include <hdf5.h>
#include <sys/stat.h>

#include <cmath>

#include "core/storage/hdf5.h"
#include "core/storage/safetensors.h"
#include "tests/core/storage/stored_zip.h"
#include "tests/launcher/data/import_cli.h"

namespace edt::test {
namespace {

using testing::HasSubstr;

float as_log_variance(float deviation) { return 2 * std::log(deviation); }

void put(h5::File& file, const std::string& name, const h5::Shape& shape,
         const std::vector<float>& values) {
  file.create_dataset(name, h5::Type::kFloat32, shape).write(h5::Type::kFloat32, values.data());
}
void put(h5::File& file, const std::string& name, const h5::Shape& shape,
         const std::vector<std::int64_t>& values) {
  file.create_dataset(name, h5::Type::kInt64, shape).write(h5::Type::kInt64, values.data());
}

TEST_F(DataCli, Hdf5ByName) {
  h5::File file = h5::File::create(path("imagenet_latent.hdf5"));
  put(file, "latents", {kSamples, 8, 2, 2}, moments(0, kSamples, as_it_is));
  put(file, "labels", {kSamples}, labels(0, kSamples));
  put(file, "amount", {}, std::vector<std::int64_t>{kSamples});
  put(file, "train/z", {kSamples, 4, 2, 2}, latents(0, kSamples));
  put(file, "train/y", {kSamples, 1}, labels(0, kSamples));
  put(file, "train/mirrored", {kSamples, 4, 2, 2}, latents(0, kSamples, -1));
  file.close();
  import("--latents imagenet_latent.hdf5 --moments std");
  expect_moments();
  import(
      "--latents imagenet_latent.hdf5 --latents-key train/z --labels-key train/y --flipped-key "
      "train/mirrored");
  expect_latents(true);
  EXPECT_THAT(refused("--latents imagenet_latent.hdf5 --latents-key z --labels-key train/y"),
              testing::AllOf(HasSubstr("there is no 'z'"), HasSubstr("latents [12, 8, 2, 2]"),
                             HasSubstr("amount []"), HasSubstr("train/ of 3 objects")));
}

TEST_F(DataCli, Hdf5GroupOfADataSetForEachSample) {
  h5::File file = h5::File::create(path("groups.h5"));
  for (std::uint64_t i = 0; i < kSamples; ++i) {  // 10 stands before 2 in the file
    const std::string name = std::to_string(i);
    put(file, "latents/" + name, {4, 2, 2}, latents(i, 1));
    put(file, "batched/" + name, {1, 4, 2, 2}, latents(i, 1));
    put(file, "labels/" + name, {}, labels(i, 1));
    file.dataset("latents/" + name).write_attribute("class", label_of(i));
  }
  put(file, "y", {kSamples}, labels(0, kSamples));
  file.close();
  import("--latents groups.h5");
  expect_latents();
  import("--latents groups.h5 --latents-key batched --labels-key y");
  expect_latents();
  import("--latents groups.h5 --labels-key 'latents/*@class'");
  expect_latents();
}

TEST_F(DataCli, Hdf5GroupForEachSample) {
  h5::File file = h5::File::create(path("root.h5")), below = h5::File::create(path("below.h5"));
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const std::string name = "sample_" + std::to_string(i);
    put(file, name + "/latents", {4, 2, 2}, latents(i, 1));
    put(file, name + "/label", {1}, labels(i, 1));
    put(below, "train/" + name + "/z", {4, 2, 2}, latents(i, 1));
    put(below, "train/" + name + "/y", {}, labels(i, 1));
  }
  file.close();
  below.close();
  import("--latents root.h5");
  expect_latents();
  import("--latents below.h5 --latents-key 'train/*/z' --labels-key 'train/*/y'");
  expect_latents();
  EXPECT_THAT(refused("--latents root.h5 --latents-key z"),
              testing::AllOf(HasSubstr("there is no 'z'"), HasSubstr("sample_0/ of 2 objects")));
}

TEST_F(DataCli, SeveralSamplesInEachNpy) {
  std::uint64_t first = 0;
  for (const std::uint64_t count : {5, 4, 3}) {
    const std::string name = std::to_string(first) + ".npy";  // 0, 5, 9
    write_npy(path("nb/features/" + name), "<f4", {count, 4, 2, 2}, latents(first, count));
    write_npy(path("nb/labels/" + name), "<i8", {count}, labels(first, count));
    first += count;
  }
  import("--latents nb/features --labels nb/labels");
  expect_latents();
  EXPECT_THAT(refused("--latents nb"), HasSubstr("--latents nb/features --labels nb/labels"));
  write_npy(path("nb/labels/5.npy"), "<i8", {3}, labels(5, 3));
  EXPECT_THAT(refused("--latents nb/features --labels nb/labels"),
              testing::AllOf(HasSubstr("5.npy: shape [3], expected 4 labels")));
}

TEST_F(DataCli, OneArrayOfLabelsForAFolderOfSamples) {
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    write_npy(path("f/" + std::to_string(i) + ".npy"), "<f4", {4, 2, 2}, latents(i, 1));
  }
  write_npy(path("y.npy"), "<i4", {kSamples}, labels<std::int32_t>(0, kSamples));
  import("--latents f --labels y.npy");
  expect_latents();
  write_npy(path("y.npy"), "<i4", {7}, labels<std::int32_t>(0, 7));
  EXPECT_THAT(refused("--latents f --labels y.npy"), HasSubstr("shape [7], expected 12 labels"));
  EXPECT_THAT(refused("--latents f"), HasSubstr("--labels is needed"));
}

std::string npz_of(std::uint64_t first, std::uint64_t count) {
  return stored_zip({{"latents.npy", npy_text("<f4", {count, 4, 2, 2}, latents(first, count))},
                     {"labels.npy", npy_text("<i8", {count}, labels(first, count))}});
}

TEST_F(DataCli, FolderOfNpzAndOfHdf5) {
  write_bytes(path("npz/a_2.npz"), npz_of(0, 7));
  write_bytes(path("npz/a_10.npz"), npz_of(7, 5));
  import("--latents npz");
  expect_latents();
  fs::create_directories(path("h5"));
  for (const std::uint64_t part : {0, 1}) {
    h5::File file = h5::File::create(path("h5/part" + std::to_string(part) + ".hdf5"));
    put(file, "latents", {6, 4, 2, 2}, latents(6 * part, 6));
    put(file, "labels", {6}, labels(6 * part, 6));
    file.close();
  }
  import("--latents h5");
  expect_latents();
  write_bytes(path("h5/more.npz"), npz_of(0, 7));
  EXPECT_THAT(refused("--latents h5"), HasSubstr("holds .hdf5 and .npz files"));
}

// REPA's and EDM's: parts of a thousand, and labels for them all.
std::string json_of(const std::string& folder) {
  std::string text;
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    text += fmt::format("{}[\"{}0000{}/img-mean-std-{:08}.npy\", {}]", i ? ", " : "", folder, i / 8,
                        i, label_of(i));
  }
  return "{\"labels\": [" + text + "]}";
}

TEST_F(DataCli, FoldersBelowFoldersWithADatasetJson) {
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    write_npy(path(fmt::format("r/vae-sd/0000{}/img-mean-std-{:08}.npy", i / 8, i)), "<f4",
              {8, 2, 2}, moments(i, 1, as_it_is));
  }
  const std::string part = "--latents r/vae-sd ";
  EXPECT_THAT(refused(part), testing::AllOf(HasSubstr("dataset.json"), HasSubstr("is missing")));
  write_bytes(path("r/vae-sd/dataset.json"), json_of(""));
  import(part + "--moments std");
  expect_moments();
  EXPECT_THAT(refused("--latents r"), HasSubstr("r/vae-sd holds them with a dataset.json"));
  fs::rename(path("r/vae-sd/dataset.json"), path("labels.json"));
  import(part + "--moments std --labels labels.json");
  expect_moments();
  fs::remove(path("r/vae-sd/00001/img-mean-std-00000009.npy"));
  EXPECT_THAT(
      refused(part + "--labels labels.json"),
      testing::AllOf(HasSubstr("labels.json: has a label for 00001/img-mean-std-00000009.npy"),
                     HasSubstr("11 files, 12 labels")));
  write_npy(path("r/vae-sd/00001/other.npy"), "<f4", {8, 2, 2}, moments(9, 1, as_it_is));
  EXPECT_THAT(refused(part + "--labels labels.json"),
              HasSubstr("has no label for 00001/other.npy"));
}

TEST_F(DataCli, ZipArchiveWithADatasetJson) {
  const auto members_below = [](const std::string& folder) {
    std::vector<StoredMember> members{{folder + "dataset.json", json_of("")}};
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      members.push_back({fmt::format("{}0000{}/img-mean-std-{:08}.npy", folder, i / 8, i),
                         npy_text("<f4", {8, 2, 2}, moments(i, 1, as_it_is))});
    }
    return members;
  };
  for (const std::string folder : {"", "img512-sd/"}) {
    write_bytes(path("img512-sd.zip"), stored_zip(members_below(folder)));
    import("--latents img512-sd.zip --moments std");
    expect_moments();
  }
}

TEST_F(DataCli, AFolderForEachClass) {
  const std::vector<std::string> names{"n01440764", "n01443537", "n01484850", "n01491361", "n9"};
  std::vector<std::uint64_t> order;
  for (std::uint64_t c = 0; c < kClasses; ++c) {
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      if (label_of(i) != static_cast<std::int64_t>(c)) continue;
      write_npy(path(fmt::format("root/{}/{}_{}.npy", names[c], names[c], i)), "<f4", {4, 2, 2},
                latents(i, 1));
      order.push_back(i);
    }
  }
  import("--latents root");
  const data::Dataset set(path("set"));
  EXPECT_EQ(set.description().class_names, names);
  ASSERT_EQ(set.size(), kSamples);
  for (std::uint64_t place = 0; place < kSamples; ++place) {
    EXPECT_EQ(set.label(place), label_of(order[place]));
    EXPECT_EQ(stored(place), latents(order[place], 1));
  }
  EXPECT_THAT(refused("--latents root --classes 1000"),
              testing::AllOf(HasSubstr("--classes is 1000"), HasSubstr("of 5 classes")));
  fs::create_directories(path("split"));
  fs::rename(path("root"), path("split/train"));
  EXPECT_THAT(refused("--latents split"),
              HasSubstr("split/train: is no class: it holds the folder"));
  fs::create_directories(path("split/train/n99"));
  EXPECT_THAT(refused("--latents split/train"), HasSubstr("n99: a class without files of arrays"));
}

TEST_F(DataCli, ClassFoldersThatAreNumbers) {
  for (int c = 0; c < 11; ++c) {
    write_npy(path(fmt::format("root/{}/a.npy", c)), "<f4", {4, 2, 2},
              latents(static_cast<std::uint64_t>(c), 1));
  }
  EXPECT_THAT(refused("--latents root"),
              testing::AllOf(HasSubstr("label 2 is the folder 10 in the order of names"),
                             HasSubstr("2 in that of numbers"), HasSubstr("--class-order")));
  import("--latents root --class-order name --classes 11");
  EXPECT_EQ(stored(2), latents(10, 1));
  import("--latents root --class-order number --classes 11");
  EXPECT_EQ(stored(2), latents(2, 1));
}

// MAR's cache: for each picture an .npz of both copies' moments, with log variances.
TEST_F(DataCli, ClassFoldersOfNpzWithBothCopies) {
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const auto array = npy_text("<f4", {8, 2, 2}, moments(i, 1, as_log_variance));
    write_bytes(path(fmt::format("root/c{}/{:02}.JPEG.npz", i / 3, i)),
                stored_zip({{"moments.npy", array}, {"moments_flip.npy", array}}));
  }
  fs::remove_all(path("set"));
  const auto outcome =
      edt("data import --quiet --dtype float32 --out set --latents root --moments logvar "
          "--vae-factor 16 "
          "--image-size 32",
          "2>&1");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const data::Dataset set(path("set"));
  EXPECT_TRUE(set.description().flipped);
  EXPECT_EQ(set.description().classes, 4);
  EXPECT_EQ(set.description().image_size, 32);
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const auto expected = moments(i, 1, as_it_is);
    EXPECT_THAT(stored(i), testing::Pointwise(testing::FloatNear(1e-6f), expected));
    EXPECT_THAT(stored(i, true), testing::Pointwise(testing::FloatNear(1e-6f), expected));
    EXPECT_EQ(set.label(i), static_cast<std::int32_t>(i / 3));
  }
}

TEST_F(DataCli, MirroredCopiesUnderOtherNames) {
  SafetensorsWriter writer(path("a.safetensors"),
                           {{"z", SafetensorsType::kF32, {kSamples, 4, 2, 2}},
                            {"mirror", SafetensorsType::kF32, {kSamples, 4, 2, 2}},
                            {"y", SafetensorsType::kI64, {kSamples}},
                            {"images", SafetensorsType::kU8, {3}}});
  writer.append_values<float>(latents(0, kSamples));
  writer.append_values<float>(latents(0, kSamples, -1));
  writer.append_values<std::int64_t>(labels(0, kSamples));
  writer.append_values<std::uint8_t>(std::vector<std::uint8_t>(3));
  writer.finish();
  import("--latents a.safetensors --latents-key z --labels-key y --flipped-key mirror");
  expect_latents(true);
  EXPECT_THAT(
      refused("--latents a.safetensors --latents-key z --labels-key y --flipped-key flip"),
      testing::AllOf(HasSubstr("there is no 'flip' (--flipped-key)"), HasSubstr("mirror [")));
  EXPECT_THAT(
      refused("--latents a.safetensors"),
      testing::AllOf(HasSubstr("there is no 'latents' or 'moments'"), HasSubstr("z [12, 4")));
  write_bytes(path("a.npz"),
              stored_zip({{"z.npy", npy_text("<f4", {kSamples, 4, 2, 2}, latents(0, kSamples))},
                          {"y.npy", npy_text("<i8", {kSamples}, labels(0, kSamples))}}));
  write_npy(path("m.npy"), "<f4", {kSamples, 4, 2, 2}, latents(0, kSamples, -1));
  import("--latents a.npz --latents-key z --labels-key y --flipped-latents m.npy");
  expect_latents(true);
  EXPECT_THAT(
      refused("--latents a.npz --latents-key z"),
      testing::AllOf(HasSubstr("there is no 'labels' or 'label' (--labels-key, or --unlabelled)"),
                     HasSubstr("there are: z, y")));
}

// Each sample's label is an attribute of its group.
TEST_F(DataCli, Hdf5LabelsThatAreAttributesOfGroups) {
  h5::File file = h5::File::create(path("groups.h5"));
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    put(file, std::to_string(i) + "/z", {4, 2, 2}, latents(i, 1));
  }
  file.close();
  const auto handle = H5Fopen(path("groups.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    const auto space = H5Screate(H5S_SCALAR);
    const auto attribute =
        H5Acreate_by_name(handle, std::to_string(i).c_str(), "label", H5T_STD_I64LE, space,
                          H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const std::int64_t label = label_of(i);
    H5Awrite(attribute, H5T_NATIVE_INT64, &label);
    H5Aclose(attribute);
    H5Sclose(space);
  }
  H5Fclose(handle);
  import("--latents groups.h5 --latents-key z --labels-key '*@label'");
  expect_latents();
  import("--latents groups.h5 --latents-key z --labels-key @label");
  expect_latents();
}

// They were paired by their order.
TEST_F(DataCli, Hdf5MembersOfOtherNamesDoNotPair) {
  h5::File file = h5::File::create(path("groups.h5"));
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    put(file, fmt::format("latents/{}", i), {4, 2, 2}, latents(i, 1));
    put(file, fmt::format("labels/{}", i == 7 ? 20 : i), {}, labels(i, 1));
  }
  file.close();
  EXPECT_THAT(refused("--latents groups.h5"),
              testing::AllOf(HasSubstr("do not pair"), HasSubstr("sample 7 is 7 and 8")));
}

// The shards hold values of files that the one that was named only refers to.
TEST_F(DataCli, AFileBehindALinkThatWasOverwrittenIsNoticed) {
  const auto write = [&](float sign) {
    h5::File values = h5::File::create(path("values.h5"));
    put(values, "z", {kSamples, 4, 2, 2}, latents(0, kSamples, sign));
    values.close();
  };
  write(1);
  {
    h5::File file = h5::File::create(path("links.h5"));
    put(file, "labels", {kSamples}, labels(0, kSamples));
    file.close();
    const auto handle = H5Fopen(path("links.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Lcreate_external("values.h5", "/z", handle, "latents", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(handle);
  }
  import("--latents links.h5");
  expect_latents();
  const std::string again =
      "data import --quiet --dtype float32 --out set --classes 5 --latents links.h5";
  EXPECT_EQ(edt(again, "2>&1").status, 0);
  write(-1);
  const CommandOutcome outcome = edt(again, "2>&1");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, testing::AllOf(HasSubstr("values.h5"), HasSubstr("--replace")));
}

TEST_F(DataCli, ClassFoldersOfTwoLinesAreRefused) {
  write_npy(path("c/a\nb/0.npy"), "<f4", {4, 2, 2}, latents(0, 1));
  EXPECT_THAT(refused("--latents c"), HasSubstr("has more than one line"));
}

TEST_F(DataCli, APipeIsNoFile) {
  ASSERT_EQ(mkfifo(path("x.npy").c_str(), 0600), 0);
  write_npy(path("y.npy"), "<i8", {kSamples}, labels(0, kSamples));
  EXPECT_THAT(refused("--latents x.npy --labels y.npy"), HasSubstr("x.npy is not a regular file"));
}

TEST_F(DataCli, LatentsAreNotTheirOwnMirroredCopies) {
  write_npy(path("x.npy"), "<f4", {kSamples, 4, 2, 2}, latents(0, kSamples));
  write_npy(path("y.npy"), "<i8", {kSamples}, labels(0, kSamples));
  EXPECT_THAT(refused("--latents x.npy --labels y.npy --flipped-latents ./x.npy"),
              HasSubstr("--flipped-latents ./x.npy are the latents themselves"));
}

}  // namespace
}  // namespace edt::test
