#include "parallel/sharding/flat_layout.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/base/error.h"

namespace edt {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

void check_names(const std::vector<FlatTensor>& tensors) {
  std::set<std::string_view> names;
  for (const FlatTensor& tensor : tensors) {
    require(names.insert(tensor.name).second, "flat layout", "two tensors are named {}",
            tensor.name);
    require(tensor.elements() > 0, "flat layout", "{} is empty: shape {}", tensor.name,
            to_string(tensor.shape));
  }
}

}  // namespace

void FlatShard::append(const FlatRange& range, std::int64_t offset) {
  if (range.elements() <= 0) return;
  if (!parts.empty() && parts.back().range.end == range.begin && elements() == offset) {
    parts.back().range.end = range.end;
    return;
  }
  parts.push_back({range, offset});
}

std::string_view group_of(std::string_view name) {
  const std::size_t first_dot = std::min(name.find('.'), name.size());
  int numbers = name.starts_with("block_groups.") ? 2 : 1;
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    if (is_number(name.substr(begin, end - begin)) && --numbers == 0) return name.substr(0, end);
    begin = end + 1;
  }
  return name.substr(0, first_dot);
}

FlatLayout::FlatLayout(std::vector<FlatTensor> tensors, std::int64_t block)
    : tensors_(std::move(tensors)), block_(block) {
  EDT_ASSERT(block > 0 && block % kTensorAlignment == 0);
  check_names(tensors_);
  std::int64_t end = 0;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    FlatTensor& tensor = tensors_[i];
    const std::string_view group = group_of(tensor.name);
    const bool starts_group = i == 0 || group != group_of(tensors_[i - 1].name);
    if (starts_group) {
      end = round_up(end, block);
      groups_.push_back({std::string(group), i, i, {end, end}});
    }
    tensor.offset = round_up(end, kTensorAlignment);
    end = tensor.end();
    elements_ += tensor.elements();
    groups_.back().last = i + 1;
    groups_.back().range.end = round_up(end, block);
  }
  size_ = round_up(end, block);
}

FlatLayout FlatLayout::of(std::span<Parameter* const> parameters, std::int64_t block) {
  std::vector<FlatTensor> tensors;
  tensors.reserve(parameters.size());
  for (const Parameter* parameter : parameters) {
    tensors.push_back({parameter->name, parameter->shape});
  }
  return {std::move(tensors), block};
}

std::size_t FlatLayout::find(std::string_view name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const FlatTensor& tensor) { return tensor.name == name; });
  return static_cast<std::size_t>(found - tensors_.begin());
}

std::vector<FlatBucket> FlatLayout::buckets(std::int64_t elements) const {
  std::vector<FlatBucket> joined;
  for (const FlatBucket& group : groups_) {
    if (joined.empty() || joined.back().range.elements() >= elements) {
      joined.push_back(group);
    } else {
      joined.back().last = group.last;
      joined.back().range.end = group.range.end;
    }
  }
  return joined;
}

std::vector<std::int64_t> FlatLayout::bounds(const FlatBucket& bucket, int ranks) const {
  const std::int64_t blocks = bucket.range.elements() / block_;
  std::vector<std::int64_t> bounds;
  for (int i = 0; i <= ranks; ++i)
    bounds.push_back(bucket.range.begin + blocks * i / ranks * block_);
  return bounds;
}

FlatShard FlatLayout::shard(std::span<const FlatBucket> buckets, int rank, int ranks) const {
  EDT_ASSERT(ranks > 0 && rank >= 0 && rank < ranks);
  FlatShard shard;
  for (const FlatBucket& bucket : buckets) {
    const auto ends = bounds(bucket, ranks);
    const auto i = static_cast<std::size_t>(rank);
    shard.append({ends[i], ends[i + 1]});
  }
  return shard;
}

FlatShard FlatLayout::whole() const { return shard(groups_, 0, 1); }

std::vector<FlatFragment> FlatLayout::fragments(const FlatShard& shard) const {
  std::vector<FlatFragment> fragments;
  for (const FlatShard::Part& part : shard.parts) {
    auto tensor = std::partition_point(tensors_.begin(), tensors_.end(), [&](const FlatTensor& t) {
      return t.end() <= part.range.begin;
    });
    for (; tensor != tensors_.end() && tensor->offset < part.range.end; ++tensor) {
      const std::int64_t begin = std::max(tensor->offset, part.range.begin);
      const std::int64_t end = std::min(tensor->end(), part.range.end);
      fragments.push_back({static_cast<std::size_t>(tensor - tensors_.begin()),
                           begin - tensor->offset, end - tensor->offset,
                           part.offset + begin - part.range.begin});
    }
  }
  return fragments;
}

}  // namespace edt
