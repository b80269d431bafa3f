// Pictures become shards: order, values, draws, and what cannot be decoded.
#include "data/pictures/encode.h"

#include "core/image/resample.h"
#include "core/random/stream.h"
#include "data/dataset.h"
#include "data/gradient_features.h"
#include "data/pictures/look.h"
#include "tests/core/storage/expect_error.h"
#include "tests/data/pictures/archive_file.h"
#include "tests/support/block_encoder.h"
#include "tests/support/picture_files.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

using test::ArchiveFile;
using test::BlockEncoder;
using test::drawn_picture;
using test::write_whole;

constexpr int kSize = 32;

Image picture(int i) { return drawn_picture(40 + i, 50 - i, static_cast<unsigned>(i)); }

class Encode : public testing::Test {
 protected:
  Encode() {
    for (int i = 0; i < 7; ++i) {
      write_whole(directory_ / fmt::format("p/c{}/{}.png", i % 2, i), test::png_file(picture(i)));
    }
    options_.list.pictures = {directory_ / "p"};
    options_.out = directory_ / "set";
    options_.image_size = kSize;
    options_.samples_per_shard = 3;
    options_.batch = 2;
    options_.threads = 2;
    options_.type = h5::Type::kFloat32;
    options_.arithmetic = "a stand-in";
  }

  // Lists, looks and encodes, as one rank does it.
  std::vector<BrokenPicture> encode() {
    require_encodable(options_, encoder_.info());
    PictureIndexWriter writer(directory_ / "index");
    writer.end_list(list_pictures(options_.list, writer));
    const auto listed = PictureIndex::listed(directory_ / "index");
    const auto broken = look_at_pictures(listed, 0, 1, {.threads = 2}, {});
    writer.finish(broken, "id");
    const auto index = PictureIndex::finished(directory_ / "index", "id");
    const ShardSet set(
        options_.out, describe_encoding(options_, encoder_.info(), index->sources()), index->size(),
        {.samples_per_shard = options_.samples_per_shard,
         .provenance = encoding_provenance(options_, encoder_.info(), index->sources()),
         .replace = options_.replace});
    std::vector<std::uint64_t> missing;
    const auto there = set.open();
    for (std::uint64_t i = 0; i < set.count(); ++i) {
      if (!there[i]) missing.push_back(i);
    }
    if (missing.size() == set.count()) set.begin();
    encode_shards(options_, *index, set, missing, encoder_,
                  {.done = [&](int count) { encoded_ += count; },
                   .complete = [](ShardWriter& shard) { shard.take_name(); }});
    return broken;
  }

  // What the stand-in makes of picture i.
  std::vector<float> expected(int i, bool flipped) {
    const Image crop = centre_crop(picture(i), kSize);
    const std::size_t values = (encoder_.info().moments ? 6 : 3) * 16;
    std::vector<float> out(values);
    encoder_.encode(flipped ? mirrored(crop).pixels : crop.pixels, 1, kSize, out);
    return out;
  }
  // As they are stored.
  std::vector<float> stored(std::uint64_t sample, bool flipped) const {
    const Dataset set(options_.out);
    const Shard& shard = *set.shards()[sample / options_.samples_per_shard];
    std::vector<float> out(set.description().stored_elements());
    std::vector<std::byte> scratch;
    shard.read(sample % options_.samples_per_shard, 1, flipped, true, scratch, out);
    return out;
  }

  const test::TempDir directory_;
  EncodeOptions options_;
  BlockEncoder encoder_;
  int encoded_ = 0;
};

// Samples are in the order of the classes: 0 2 4 6 1 3 5.
constexpr int kOrder[] = {0, 2, 4, 6, 1, 3, 5};

TEST_F(Encode, MomentsOfPicturesAndOfMirroredOnes) {
  EXPECT_TRUE(encode().empty());
  const Dataset set(options_.out);
  ASSERT_EQ(set.size(), 7u);
  EXPECT_EQ(set.shards().size(), 3u);
  EXPECT_TRUE(set.description().moments);
  EXPECT_EQ(set.description().class_names, (std::vector<std::string>{"c0", "c1"}));
  EXPECT_EQ(set.description().scale, 0.5);
  EXPECT_EQ(set.description().image_size, kSize);
  for (std::uint64_t i = 0; i < 7; ++i) {
    EXPECT_EQ(set.label(i), kOrder[i] % 2) << i;
    EXPECT_EQ(stored(i, false), expected(kOrder[i], false)) << i;
    EXPECT_EQ(stored(i, true), expected(kOrder[i], true)) << i;
  }
  EXPECT_NE(stored(0, false), stored(0, true));
}

TEST_F(Encode, GradientsStandBesideThem) {
  options_.hog = true;
  encode();
  const Dataset set(options_.out, {.arrays = {{"hog", {}}}});
  const GradientFeatures gradients("test", kSize, encoder_.info().factor);
  ReadScratch scratch;
  std::vector<float> wanted(gradients.elements()), read(wanted.size());
  for (std::uint64_t i = 0; i < 7; ++i) {
    const Image crop = centre_crop(picture(kOrder[i]), kSize);
    for (const bool flipped : {false, true}) {
      gradients.compute(flipped ? mirrored(crop).pixels : crop.pixels, wanted);
      set.read_array(0, std::vector<SampleRef>{{i, 0, flipped}}, scratch, read);
      for (std::size_t k = 0; k < read.size(); ++k) ASSERT_NEAR(read[k], wanted[k], 1e-3) << i;
    }
    EXPECT_EQ(stored(i, true), expected(kOrder[i], true)) << i;
  }
  options_.hog = false;
  EXPECT_ERROR(encode(), DataError, "--hog", "--replace");
}

TEST_F(Encode, LatentsAreWhatARunWouldDraw) {
  encode();
  ReadScratch scratch;
  std::vector<float> drawn(48), flipped(48);
  const std::vector<SampleRef> sample{{.index = 5, .epoch = 0}},
      mirrored{{.index = 5, .epoch = 1, .flipped = true}};
  Dataset(options_.out).read(sample, 4, scratch, drawn);
  Dataset(options_.out).read(mirrored, 4, scratch, flipped);
  options_.moments = false;
  options_.seed = 4;
  options_.out = directory_ / "latents";
  encode();
  EXPECT_FALSE(Dataset(options_.out).description().moments);
  EXPECT_EQ(stored(5, false), drawn);
  EXPECT_EQ(stored(5, true), flipped);
  EXPECT_NE(flipped, drawn);
}

TEST_F(Encode, TheShiftIsTakenOffAndMayBeAlone) {
  encoder_.info().shift = 0.25;
  options_.flipped = false;
  encode();
  std::vector<float> moments = expected(0, false);
  for (std::size_t i = 0; i < 48; ++i) moments[i] -= 0.25f;  // the mean alone
  EXPECT_EQ(stored(0, false), moments);
  // An encoder without a spread gives latents.
  encoder_.info().moments = false;
  options_.replace = true;
  EXPECT_ERROR(encode(), UsageError, "--store latents", "blocks f8 c3");
  options_.moments = false;
  encode();
  std::vector<float> latents = expected(0, false);
  for (float& value : latents) value = (value - 0.25f) * 0.5f;
  EXPECT_EQ(stored(0, false), latents);
}

TEST_F(Encode, WholeShardsAreKept) {
  encode();
  EXPECT_EQ(encoded_, 7);
  std::filesystem::remove(options_.out / "shard-00001-of-00003.h5");
  const std::string last = test::read_whole(options_.out / "shard-00002-of-00003.h5");
  encode();
  EXPECT_EQ(encoded_, 10);
  EXPECT_EQ(stored(3, false), expected(6, false));
  EXPECT_EQ(test::read_whole(options_.out / "shard-00002-of-00003.h5"), last);
  options_.list.classes = 2;  // what follows from the folders: the same set
  encode();
  EXPECT_EQ(encoded_, 10);
  options_.decode.apply_orientation = true;
  EXPECT_ERROR(encode(), DataError, "--exif-orientation was off, is now on", "--replace");
  options_.decode.apply_orientation = false;
  encoder_.info().checksum = 18;
  EXPECT_ERROR(encode(), DataError, "checksum of the encoder was", "--replace");
  encoder_.info().checksum = 17;
  write_whole(directory_ / "p/c1/9.png", test::png_file(picture(1)));
  EXPECT_ERROR(encode(), DataError, "--pictures: files was 7, is now 8");
}

TEST_F(Encode, AnotherListOrAnotherSeedIsAnotherSet) {
  const auto list = [&](const std::string& content) {
    write_whole(directory_ / "labels.txt", content);
    options_.list.labels = directory_ / "labels.txt";
  };
  list("c0/0.png 0\nc0/2.png 1\n");
  options_.list.classes = 2;
  encode();
  list("c0/0.png 1\nc0/2.png 0\n");
  EXPECT_ERROR(encode(), DataError, "--labels", "--replace");
  options_.list.labels.clear();
  options_.moments = false;
  options_.out = directory_ / "drawn";
  encode();
  options_.seed = 5;
  EXPECT_ERROR(encode(), DataError, "--seed was 0, is now 5");
}

TEST_F(Encode, WhatIsBrokenIsFoundBefore) {
  write_whole(directory_ / "p/c0/3.png", test::png_file(picture(1)).substr(0, 200));
  write_whole(directory_ / "p/c1/9.jpg", "no picture");
  const auto broken = encode();
  ASSERT_EQ(broken.size(), 2u);
  EXPECT_EQ(broken[0].index, 2u);
  EXPECT_EQ(broken[0].reason, "cut off");
  EXPECT_EQ(broken[1].index, 8u);
  EXPECT_EQ(broken[1].reason, "is no JPEG, PNG or WebP");
  EXPECT_EQ(to_text(parse_broken(to_text(broken))), to_text(broken));
  const auto of_two_lines = parse_broken(to_text({{3, "first\nsecond"}, {5, "third"}}));
  ASSERT_EQ(of_two_lines.size(), 2u);
  EXPECT_EQ(of_two_lines[0].reason, "first second");
  EXPECT_EQ(of_two_lines[1].index, 5u);
  EXPECT_EQ(Dataset(options_.out).size(), 7u);
  EXPECT_EQ(stored(2, false), expected(4, false));
}

TEST_F(Encode, APictureThatGoesMeanwhile) {
  PictureIndexWriter writer(directory_ / "index");
  writer.end_list(list_pictures(options_.list, writer));
  writer.finish({}, "id");
  const auto index = PictureIndex::finished(directory_ / "index", "id");
  std::filesystem::remove(directory_ / "p/c0/2.png");
  std::filesystem::create_directory(options_.out);
  const ShardSet set(options_.out, describe_encoding(options_, encoder_.info(), index->sources()),
                     index->size(), {.samples_per_shard = 3});
  EXPECT_ERROR(encode_shards(options_, *index, set, {0}, encoder_, {.done = [](int) {}}), DataError,
               "c0/2.png: could be decoded before");
  EXPECT_TRUE(std::filesystem::is_empty(options_.out));
}

// The same bytes from archives, packed or not, that list the pictures in this order.
TEST_F(Encode, ArchivesGiveTheSameSamples) {
  encode();
  std::vector<std::vector<float>> first;
  for (std::uint64_t i = 0; i < 7; ++i) first.push_back(stored(i, true));
  for (const char* filter : {"", "gzip"}) {
    ArchiveFile file(directory_ / "p.tar", "pax", filter);
    for (int i : kOrder) {
      file.add(fmt::format("c{}/{}.png", i % 2, i), test::png_file(picture(i)));
    }
    file.close();
    options_.list.pictures = {directory_ / "p.tar"};
    options_.replace = true;
    options_.threads = 3;
    encode();
    for (std::uint64_t i = 0; i < 7; ++i) EXPECT_EQ(stored(i, true), first[i]) << filter << i;
  }
}

TEST_F(Encode, SizesThatTheEncoderCannotTake) {
  options_.image_size = 36;
  EXPECT_ERROR(encode(), UsageError, "--image-size is 36", "multiples of 8");
}

}  // namespace
}  // namespace edt::data
