#include "parallel/checkpoint/exchange.h"

#include <gmock/gmock-matchers.h>

#include <limits>

#include "core/storage/safetensors.h"
#include "fixture.h"

namespace edt::test {
namespace {

using ::testing::HasSubstr;

class Exchange : public ::testing::Test {
 protected:
  Exchange() {
    save_steps(store_, {3});
    const FlatLayout layout = small_layout();
    for (const auto& tensor : layout.tensors()) expected_.push_back({tensor.name, tensor.shape});
  }
  Checkpoint checkpoint() { return Checkpoint::open(store_.path_of(3)); }

  // Writes the expected tensors after `change` has had its way with them.
  template <class F>
  void write_file(F&& change) {
    std::vector<SafetensorsEntry> entries;
    std::vector<std::vector<float>> values;
    for (std::size_t i = 0; i < expected_.size(); ++i) {
      std::vector<std::uint64_t> dims;
      for (int axis = 0; axis < expected_[i].shape.rank(); ++axis) {
        dims.push_back(static_cast<std::uint64_t>(expected_[i].shape[axis]));
      }
      entries.push_back({.name = expected_[i].name, .shape = dims});
      values.push_back(tensor_values(3, 0, i, expected_[i].shape.elements()));
    }
    change(entries, values);
    SafetensorsWriter writer(file_, entries);
    for (const auto& tensor : values) writer.append_values(std::span<const float>(tensor));
    writer.finish();
  }
  ExchangeReport import() {
    return import_safetensors(file_,
                              {.expected = expected_,
                               .fixed = fixed_,
                               .schemes = {published_names(expected_)},
                               .prefix = {},
                               .fresh = std::vector<bool>(expected_.size(), false),
                               .draw = {}},
                              {.step = 9, .model = "m"}, imported_);
  }
  ExchangeReport export_to_file(WeightSource source, std::span<const FixedTensor> fixed) {
    return export_safetensors(checkpoint(), source, published_names(expected_), fixed, file_);
  }
  template <class F>
  std::string refusal(F&& change) {
    write_file(change);
    const std::string message = message_of<DataError>([&] { import(); });
    EXPECT_FALSE(fs::exists(imported_.directory())) << "something was left behind";
    return message;
  }

  TempDir directory_;
  CheckpointStore store_{directory_.path() / "run" / "checkpoints"};
  CheckpointStore imported_{directory_.path() / "imported" / "checkpoints"};
  fs::path file_ = directory_.path() / "weights.safetensors";
  std::vector<LogicalTensor> expected_;
  std::vector<FixedTensor> fixed_{{"pos_embed", {1, 2, 3}, {0, 1, 2, 3, 4, 5}},
                                  {"unknown_table", {4}, {}}};
};

TEST_F(Exchange, ExportedWeightsComeBackAsMasterAndAverage) {
  for (const auto source : {WeightSource::kEma, WeightSource::kMaster}) {
    const ExchangeReport out = export_to_file(source, fixed_);
    EXPECT_EQ(out.tensors, expected_.size() + 1);
    EXPECT_EQ(out.bytes, fs::file_size(file_));
    fs::remove_all(imported_.directory().parent_path());
    const ExchangeReport in = import();
    EXPECT_EQ(in.tensors, expected_.size());
    EXPECT_THAT(in.skipped, ::testing::ElementsAre("pos_embed"));

    const Checkpoint loaded = find_checkpoint(imported_.directory().parent_path());
    EXPECT_EQ(loaded.info().step, 0);
    EXPECT_EQ(loaded.info().optimizer, "");
    EXPECT_THAT(loaded.manifest().arrays, ::testing::ElementsAre("master", "ema"));
    const std::size_t written = source == WeightSource::kMaster ? 0 : 1;
    for (std::size_t i = 0; i < expected_.size(); ++i) {
      const auto values = tensor_values(3, written, i, expected_[i].shape.elements());
      EXPECT_EQ(loaded.read_tensor("master", i), values);
      EXPECT_EQ(loaded.read_tensor("ema", i), values);
    }
  }
}

TEST_F(Exchange, ExportIncludesFixedTensorsWithValues) {
  export_to_file(WeightSource::kEma, fixed_);
  const SafetensorsReader reader(file_);
  std::vector<float> values(6);
  reader.read(reader.entry("pos_embed"), 0, std::span<float>(values));
  EXPECT_EQ(values, fixed_[0].values);
  EXPECT_EQ(reader.find("unknown_table"), nullptr);
  EXPECT_EQ(reader.metadata().at("step"), "3");
}

TEST_F(Exchange, RefusesWhatDoesNotFitAndLeavesNothing) {
  EXPECT_THAT(refusal([](auto& entries, auto&) {
                entries[2].shape = {30, 20};
              }),
              HasSubstr("blocks.0.attn.weight has shape [30, 20], the model has [20, 30]"));
  EXPECT_THAT(refusal([](auto& entries, auto&) { entries[2].name = "other"; }),
              HasSubstr("the model has no tensor other (shape [20, 30])"));
  EXPECT_THAT(refusal([](auto& entries, auto& values) {
                entries.pop_back();
                values.pop_back();
              }),
              HasSubstr("tensor final_layer.linear.weight of shape [3, 100] is missing"));
  EXPECT_THAT(
      refusal([](auto&, auto& values) { values[4][7] = std::numeric_limits<float>::quiet_NaN(); }),
      HasSubstr("blocks.1.attn.weight holds NaN or infinity"));
  EXPECT_THAT(refusal([](auto& entries, auto& values) {
                entries.push_back({.name = "pos_embed", .shape = {1, 2, 3}});
                values.push_back({0, 1, 2, 3, 4, 5.01f});
              }),
              HasSubstr("pos_embed element 5 is 5.01, the model computes 5"));
}

TEST_F(Exchange, SkipsTablesWithoutValues) {
  write_file([](auto& entries, auto& values) {
    entries.push_back({.name = "unknown_table", .shape = {4}});
    values.push_back({9, 9, 9, 9});
    entries.push_back({.name = "index", .type = SafetensorsType::kI32, .shape = {1}});
    values.push_back({0});
  });
  EXPECT_THAT(import().skipped, ::testing::ElementsAre("unknown_table", "index"));
}

TEST_F(Exchange, DoesNotWriteIntoARunThatHasCheckpoints) {
  export_to_file(WeightSource::kEma, {});
  import();
  EXPECT_THAT(message_of<UsageError>([&] { import(); }), HasSubstr("already holds step-000000"));
}

}  // namespace
}  // namespace edt::test
