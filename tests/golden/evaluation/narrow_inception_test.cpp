// FID's Inception network at a sixteenth of its width, on each backend against the reference: small
// enough for the emulated GPU, and every layer of it in its place.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include <utility>

#include "core/base/error.h"
#include "core/cpu/cpu_backend.h"
#include "core/cuda/cuda_backend.h"
#include "core/reference/reference_backend.h"
#include "core/storage/safetensors.h"
#include "model/evaluation/inception.h"
#include "tests/golden/evaluation/ruled_inception.h"
#include "tests/golden/golden_file.h"
#include "tests/support/message_of.h"
#include "tests/support/picture_files.h"
#include "tests/support/places.h"
#include "tests/support/temp_dir.h"

namespace edt::test {
namespace {

class NarrowInception : public testing::TestWithParam<std::string> {};

InceptionFeatures features_by(Backend& backend, const std::filesystem::path& weights) {
  const std::vector<Image> pictures{drawn_picture(64, 48, 1), drawn_picture(200, 256, 2)};
  return Inception(weights, backend).run(pictures, InceptionResize::kAdm);
}

TEST_P(NarrowInception, GivesTheFeaturesOfTheReference) {
  if (GetParam() == "cuda" && cuda_device_count() == 0) {
    GTEST_SKIP() << "no GPU: " << cuda_absence();
  }
  const TempDir folder;
  write_narrow_inception(GoldenFile(in_sources("tests/golden/evaluation/inception.h5")),
                         folder / "narrow.safetensors");
  const auto reference = make_reference_backend();
  const auto backend = GetParam() == "cuda" ? make_cuda_backend() : make_cpu_backend();
  const InceptionFeatures expected = features_by(*reference, folder / "narrow.safetensors"),
                          found = features_by(*backend, folder / "narrow.safetensors");
  ASSERT_EQ(found.count(), 2);
  // Float32 against float32 sums in another order, over 48 layers.
  EXPECT_LE(distance(found.pooled, expected.pooled), 1e-5);
  EXPECT_LE(distance(found.spatial, expected.spatial), 1e-5);
  EXPECT_LE(distance(found.logits, expected.logits), 1e-5);
  // Pictures are told apart.
  const auto half = static_cast<std::ptrdiff_t>(InceptionFeatures::kPooled);
  EXPECT_GT(distance({found.pooled.begin(), found.pooled.begin() + half},
                     {found.pooled.begin() + half, found.pooled.end()}),
            1e-2);
}

// The file with one more tensor, and with its first value moved.
void copy_changed(const std::filesystem::path& from, const std::filesystem::path& to,
                  const std::string& more, float step) {
  const SafetensorsReader reader(from);
  std::vector<SafetensorsEntry> entries = reader.entries();
  if (!more.empty()) {
    entries.push_back({.name = more, .type = SafetensorsType::kF32, .shape = {1}, .bytes = 4});
  }
  SafetensorsWriter writer(to, entries);
  for (const SafetensorsEntry& entry : entries) {
    std::vector<float> values(entry.bytes / sizeof(float));
    if (entry.name != more) reader.read(entry, 0, std::span<float>(values));
    values[0] += std::exchange(step, 0.0F);
    writer.append_values(std::span<const float>(values));
  }
  writer.finish();
}

TEST(InceptionFile, IsTakenWholeAndKnownByItsValues) {
  const TempDir folder;
  const std::filesystem::path narrow = folder / "narrow.safetensors", other = folder / "other";
  write_narrow_inception(GoldenFile(in_sources("tests/golden/evaluation/inception.h5")), narrow);
  const auto backend = make_cpu_backend();
  const std::uint64_t checksum = Inception(narrow, *backend).checksum();
  copy_changed(narrow, other, "Conv2d_1a_3x3.bn.num_batches_tracked", 0);
  EXPECT_EQ(Inception(other, *backend).checksum(), checksum) << "counters are no weights";
  copy_changed(narrow, other, "", 0.5F);
  EXPECT_NE(Inception(other, *backend).checksum(), checksum);
  copy_changed(narrow, other, "AuxLogits.fc.bias", 0);
  EXPECT_THAT(message_of<DataError>([&] { Inception(other, *backend); }),
              testing::HasSubstr("tensor AuxLogits.fc.bias is none of FID's Inception network"));
}

INSTANTIATE_TEST_SUITE_P(Cpu, NarrowInception, testing::Values("cpu"));
INSTANTIATE_TEST_SUITE_P(Cuda, NarrowInception, testing::Values("cuda"));

}  // namespace
}  // namespace edt::test
