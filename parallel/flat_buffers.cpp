#include "parallel/flat_buffers.h"

#include <cstring>

#include "core/base/error.h"

namespace edt {
namespace {

Block zeroed(Memory& memory, std::size_t bytes) {
  Block block(memory, bytes);
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  auto* data = static_cast<std::byte*>(block.data());
#pragma omp parallel for schedule(static)
  for (std::size_t begin = 0; begin < bytes; begin += kChunk) {
    std::memset(data + begin, 0, std::min(kChunk, bytes - begin));
  }
  return block;
}

void round_to_bf16(std::span<const float> from, std::span<bfloat16> to) {
  EDT_ASSERT(from.size() == to.size());
#pragma omp parallel for simd schedule(static)
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = bfloat16(from[i]);
}

}  // namespace

Block zeroed_floats(Memory& memory, std::int64_t elements) {
  return zeroed(memory, static_cast<std::size_t>(elements) * sizeof(float));
}

FlatBuffers::FlatBuffers(Memory& memory, const FlatLayout& layout, const FlatShard& shard,
                         const FlatBufferOptions& options)
    : layout_(layout),
      shard_(shard),
      compute_dtype_(options.compute),
      compute_is_master_(options.compute == DType::kFloat32 && shard.elements() == layout.size()) {
  require(options.compute == DType::kFloat32 || options.compute == DType::kBFloat16, "flat buffers",
          "kernels read float32 or bf16 weights, not {}", name_of(options.compute));
  master_ = zeroed_floats(memory, shard.elements());
  if (!compute_is_master_) {
    compute_ = zeroed(memory, static_cast<std::size_t>(layout.size()) * size_of(options.compute));
  }
  gradient_ = zeroed_floats(memory, layout.size());
  if (options.ema) ema_ = zeroed_floats(memory, shard.elements());
  for (const std::string& name : options.states) {
    states_.push_back({name, zeroed_floats(memory, shard.elements())});
  }
}

std::span<bfloat16> FlatBuffers::compute_bf16() const {
  if (compute_dtype_ != DType::kBFloat16) return {};
  return {static_cast<bfloat16*>(compute_.data()), compute_.bytes() / sizeof(bfloat16)};
}

void FlatBuffers::bind(std::span<Parameter* const> parameters) const {
  EDT_ASSERT(parameters.size() == layout_.tensors().size());
  auto* base = static_cast<std::byte*>(compute_is_master_ ? master_.data() : compute_.data());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const FlatTensor& tensor = layout_.tensor(i);
    EDT_ASSERT(parameters[i]->name == tensor.name && parameters[i]->shape == tensor.shape);
    const auto offset = static_cast<std::size_t>(tensor.offset) * size_of(compute_dtype_);
    parameters[i]->value = {base + offset, tensor.shape, compute_dtype_};
  }
  bind_gradients(parameters, gradient());
}

void FlatBuffers::bind_gradients(std::span<Parameter* const> parameters,
                                 std::span<float> gradient) const {
  EDT_ASSERT(parameters.size() == layout_.tensors().size());
  EDT_ASSERT(static_cast<std::int64_t>(gradient.size()) == layout_.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const FlatTensor& tensor = layout_.tensor(i);
    parameters[i]->grad = {gradient.data() + tensor.offset, tensor.shape, DType::kFloat32};
  }
}

void FlatBuffers::refresh_compute() const {
  if (compute_is_master_) return;
  for (const FlatShard::Part& part : shard_.parts) {
    const auto from = master().subspan(static_cast<std::size_t>(part.offset),
                                       static_cast<std::size_t>(part.range.elements()));
    const auto begin = static_cast<std::size_t>(part.range.begin);
    if (compute_dtype_ == DType::kBFloat16) {
      round_to_bf16(from, compute_bf16().subspan(begin, from.size()));
    } else {
      std::memcpy(floats(compute_).data() + begin, from.data(), from.size_bytes());
    }
  }
}

std::vector<MemoryUse> FlatBuffers::bytes_by_category() const {
  std::size_t states = 0;
  for (const State& state : states_) states += state.block.bytes();
  return {{"master weights", master_.bytes()},
          {"compute weights", compute_.bytes()},
          {"gradients", gradient_.bytes()},
          {"optimizer state", states},
          {"moving average", ema_.bytes()}};
}

}  // namespace edt
