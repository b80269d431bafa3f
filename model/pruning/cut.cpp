#include "model/pruning/cut.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"

namespace edt {
namespace {

constexpr std::string_view kBlocks = "blocks.";

// Tensors of a block in which units are. A size of 0 is that of a head.
struct UnitTensor {
  std::string_view name;
  UnitKind kind;
  bool columns;
  std::int64_t chunks, size;
  bool folded;
};

constexpr std::array kTensors{UnitTensor{"attn.qkv.weight", UnitKind::kHeads, false, 3, 0, false},
                              UnitTensor{"attn.qkv.bias", UnitKind::kHeads, false, 3, 0, false},
                              UnitTensor{"attn.rel_pos_bias.relative_position_bias_table",
                                         UnitKind::kHeads, true, 1, 1, false},
                              UnitTensor{"attn.proj.weight", UnitKind::kHeads, true, 1, 0, true},
                              UnitTensor{"mlp.fc1.weight", UnitKind::kHidden, false, 1, 1, false},
                              UnitTensor{"mlp.fc1.bias", UnitKind::kHidden, false, 1, 1, false},
                              UnitTensor{"mlp.w12.weight", UnitKind::kHidden, false, 2, 1, false},
                              UnitTensor{"mlp.w12.bias", UnitKind::kHidden, false, 2, 1, false},
                              UnitTensor{"mlp.fc2.weight", UnitKind::kHidden, true, 1, 1, true},
                              UnitTensor{"mlp.w3.weight", UnitKind::kHidden, true, 1, 1, true}};

std::int64_t rows_of(const Shape& shape) { return shape[0]; }
std::int64_t columns_of(const Shape& shape) { return shape.elements() / shape[0]; }

}  // namespace

UnitCut::UnitCut(const ModelConfig& whole, const std::vector<UnitLayer>& layers,
                 std::vector<float> factors, std::vector<bool> stays)
    : whole_(whole), factors_(std::move(factors)), stays_(std::move(stays)) {
  std::size_t first = 0;
  for (const UnitLayer& layer : layers) {
    const auto units = static_cast<std::size_t>(layer.units);
    const std::int64_t size = whole_.units_of(layer.block).value().head_size;
    layers_.push_back({layer, first, size});
    first += units;
  }
  EDT_ASSERT(factors_.size() == first && stays_.size() == first);
}

ModelConfig UnitCut::model() const {
  ModelConfig model = whole_;
  UnitCounts counts;
  for (std::int64_t block = 0; block < model.blocks(); ++block) {
    const BlockUnits units = model.units_of(block).value();
    counts.heads.push_back(units.heads);
    counts.hidden.push_back(units.hidden);
  }
  for (const Layer& layer : layers_) {
    const auto begin = stays_.begin() + static_cast<std::ptrdiff_t>(layer.first);
    std::vector<std::int64_t>& list =
        layer.of.kind == UnitKind::kHeads ? counts.heads : counts.hidden;
    list[static_cast<std::size_t>(layer.of.block)] =
        std::count(begin, begin + layer.of.units, true);
  }
  // What the width gives needs no list.
  model.common().kept = {};
  const auto is_whole = [&](const std::vector<std::int64_t>& list,
                            std::int64_t BlockUnits::*count) {
    for (std::int64_t block = 0; block < model.blocks(); ++block) {
      if (list[static_cast<std::size_t>(block)] != model.units_of(block).value().*count)
        return false;
    }
    return true;
  };
  if (is_whole(counts.heads, &BlockUnits::heads)) counts.heads.clear();
  if (is_whole(counts.hidden, &BlockUnits::hidden)) counts.hidden.clear();
  model.common().kept = std::move(counts);
  model.validate();
  return model;
}

std::optional<UnitCut::Place> UnitCut::place_of(std::string_view tensor) const {
  if (!tensor.starts_with(kBlocks)) return {};
  const std::string_view rest = tensor.substr(kBlocks.size());
  const std::size_t dot = rest.find('.');
  const std::string_view number = rest.substr(0, dot), name = rest.substr(dot + 1);
  const auto known = std::ranges::find(kTensors, name, &UnitTensor::name);
  if (known == kTensors.end()) return {};
  for (const Layer& layer : layers_) {
    if (layer.of.kind != known->kind || std::to_string(layer.of.block) != number) continue;
    return Place{.layer = &layer,
                 .columns = known->columns,
                 .chunks = known->chunks,
                 .size = known->size == 0 ? layer.head_size : known->size,
                 .folded = known->folded};
  }
  return {};
}

void UnitCut::fold(std::string_view tensor, const Shape& shape, std::span<float> values) const {
  const auto place = place_of(tensor);
  if (!place || !place->folded) return;
  const std::int64_t columns = columns_of(shape);
  EDT_ASSERT(columns == place->layer->of.units * place->size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t unit = static_cast<std::int64_t>(i) % columns / place->size;
    values[i] *= factors_[place->layer->first + static_cast<std::size_t>(unit)];
  }
}

std::vector<float> UnitCut::cut(std::string_view tensor, const Shape& shape,
                                std::span<const float> values) const {
  const auto place = place_of(tensor);
  if (!place) return {values.begin(), values.end()};
  const std::int64_t rows = rows_of(shape), columns = columns_of(shape);
  const std::int64_t group = place->layer->of.units * place->size;
  EDT_ASSERT((place->columns ? columns : rows) == place->chunks * group);
  const auto stays = [&](std::int64_t line) {
    const auto unit = static_cast<std::size_t>(line % group / place->size);
    return static_cast<bool>(stays_[place->layer->first + unit]);
  };
  std::vector<float> left;
  for (std::int64_t r = 0; r < rows; ++r) {
    if (!place->columns && !stays(r)) continue;
    for (std::int64_t c = 0; c < columns; ++c) {
      if (place->columns && !stays(c)) continue;
      left.push_back(values[static_cast<std::size_t>(r * columns + c)]);
    }
  }
  return left;
}

}  // namespace edt
