#include "core/cpu/int8_rows.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/int8_rows.cpp"
#include <hwy/foreach_target.h>

#include "core/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edt {
namespace HWY_NAMESPACE {
namespace {

using IntTag = hn::RebindToSigned<FloatTag>;
using ByteTag = hn::Rebind<std::uint8_t, FloatTag>;

template <class T>
RowRange RangeOfShort(const T* x, std::int64_t n) {
  RowRange range{static_cast<float>(x[0]), static_cast<float>(x[0])};
  float not_finite = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto value = static_cast<float>(x[i]);
    range = {std::min(range.low, value), std::max(range.high, value)};
    not_finite += value - value;
  }
  range.low += not_finite;
  return range;
}

// The last vector overlaps the one before it: nothing beyond the row is looked at.
template <class T>
RowRange RangeOf(const T* x, std::int64_t n) {
  const std::int64_t lanes = Lanes();
  if (n < lanes) return RangeOfShort(x, n);
  FloatVec low = LoadVec(x), high = low, not_finite = hn::Sub(low, low);
  for (std::int64_t i = lanes; i < n; i += lanes) {
    const FloatVec v = LoadVec(x + std::min(i, n - lanes));
    low = hn::Min(low, v);
    high = hn::Max(high, v);
    not_finite = hn::Add(not_finite, hn::Sub(v, v));
  }
  const FloatTag d;
  return {hn::GetLane(hn::MinOfLanes(d, low)) + Sum(not_finite),
          hn::GetLane(hn::MaxOfLanes(d, high))};
}

RowRange RangeOfSpan(const Span& x, std::int64_t n) {
  if (x.dtype == DType::kFloat32) return RangeOf(static_cast<const float*>(x.data), n);
  return RangeOf(static_cast<const bfloat16*>(x.data), n);
}

template <class T>
void Quantize(const T* x, std::int64_t n, RowScale row, std::uint8_t* q) {
  const FloatVec low = Set(row.low), inverse = Set(row.scale > 0 ? 1 / row.scale : 0);
  const std::int64_t lanes = Lanes();
  for (std::int64_t i = 0; i < n; i += lanes) {
    const FloatVec scaled = hn::Mul(hn::Sub(LoadVec(x + i, n - i), low), inverse);
    const auto bytes = hn::DemoteTo(ByteTag(), hn::NearestInt(scaled));
    if (HWY_LIKELY(n - i >= lanes)) {
      hn::StoreU(bytes, ByteTag(), q + i);
      continue;
    }
    HWY_ALIGN std::uint8_t rest[hn::MaxLanes(FloatTag())];
    hn::StoreU(bytes, ByteTag(), rest);
    std::copy_n(rest, n - i, q + i);
  }
}

void QuantizeSpan(const Span& x, std::int64_t n, RowScale row, std::uint8_t* q) {
  if (x.dtype == DType::kFloat32) return Quantize(static_cast<const float*>(x.data), n, row, q);
  Quantize(static_cast<const bfloat16*>(x.data), n, row, q);
}

HWY_INLINE FloatVec LoadInts(const std::int32_t* p, std::int64_t n) {
  const IntTag d;
  if (HWY_LIKELY(n >= Lanes())) return hn::ConvertTo(FloatTag(), hn::LoadU(d, p));
  HWY_ALIGN std::int32_t buffer[hn::MaxLanes(FloatTag())] = {};
  std::copy_n(p, n, buffer);
  return hn::ConvertTo(FloatTag(), hn::Load(d, buffer));
}

template <class T>
void Dequantize(const std::int32_t* products, RowScale row, const WeightColumns& columns, T* y,
                std::int64_t n) {
  const FloatVec scale = Set(row.scale), low = Set(row.low);
  for (std::int64_t i = 0; i < n; i += Lanes()) {
    const std::int64_t left = n - i;
    const FloatVec offset = hn::Mul(low, LoadVec(columns.sums + i, left));
    const FloatVec sum = hn::MulAdd(scale, LoadInts(products + i, left), offset);
    const FloatVec bias = columns.bias == nullptr ? Zero() : LoadVec(columns.bias + i, left);
    StoreVec(hn::MulAdd(LoadVec(columns.scales + i, left), sum, bias), y + i, left);
  }
}

void DequantizeSpan(const std::int32_t* products, RowScale row, const WeightColumns& columns,
                    const Span& y, std::int64_t n) {
  if (y.dtype == DType::kFloat32) {
    return Dequantize(products, row, columns, static_cast<float*>(y.data), n);
  }
  Dequantize(products, row, columns, static_cast<bfloat16*>(y.data), n);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace edt
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edt {

HWY_EXPORT(RangeOfSpan);
HWY_EXPORT(QuantizeSpan);
HWY_EXPORT(DequantizeSpan);

// Differences of a bound that is not finite with itself keep what comparisons would lose.
RowRange RowRange::with(const RowRange& other) const {
  const float not_finite = (low - low) + (other.low - other.low);
  return {std::min(low, other.low) + not_finite, std::max(high, other.high)};
}

RowRange range_of(Span x, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(RangeOfSpan)(x, n); }
void quantize_row(Span x, std::int64_t n, RowScale row, std::uint8_t* q) {
  HWY_DYNAMIC_DISPATCH(QuantizeSpan)(x, n, row, q);
}
void dequantize_row(const std::int32_t* products, RowScale row, const WeightColumns& columns,
                    Span y, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(DequantizeSpan)(products, row, columns, y, n);
}

}  // namespace edt
#endif
