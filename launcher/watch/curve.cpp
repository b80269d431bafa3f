#include "launcher/watch/curve.h"

#include <algorithm>
#include <cmath>

namespace edt {
namespace {

void merge(Curve::Bucket& into, const Curve::Bucket& other) {
  into.last_step = other.last_step;
  into.last = other.last;
  into.count += other.count;
  into.sum += other.sum;
  if (other.low < into.low) {
    into.low = other.low;
    into.low_step = other.low_step;
  }
  if (other.high > into.high) {
    into.high = other.high;
    into.high_step = other.high_step;
  }
}

}  // namespace

void Curve::add(std::int64_t step, double value) {
  if (!std::isfinite(value)) {
    ++not_finite_;
    return;
  }
  const Bucket one{.first_step = step,
                   .last_step = step,
                   .count = 1,
                   .sum = value,
                   .first = value,
                   .last = value,
                   .low = value,
                   .high = value,
                   .low_step = step,
                   .high_step = step};
  if (!buckets_.empty() && buckets_.back().first_step / width_ == step / width_) {
    merge(buckets_.back(), one);
    return;
  }
  buckets_.push_back(one);
  while (buckets_.size() > limit_) halve();
}

void Curve::halve() {
  width_ *= 2;
  std::size_t kept = 0;
  for (std::size_t i = 1; i < buckets_.size(); ++i) {
    if (buckets_[kept].first_step / width_ == buckets_[i].first_step / width_) {
      merge(buckets_[kept], buckets_[i]);
    } else {
      buckets_[++kept] = buckets_[i];
    }
  }
  buckets_.resize(kept + 1);
}

std::vector<std::pair<double, double>> Curve::extremes() const {
  std::vector<std::pair<double, double>> points;
  for (const Bucket& bucket : buckets_) {
    std::pair<double, double> low{bucket.low_step, bucket.low}, high{bucket.high_step, bucket.high};
    if (high.first < low.first) std::swap(low, high);
    points.push_back(low);
    if (high.first > low.first) points.push_back(high);
  }
  if (!points.empty() && points.back().first < buckets_.back().last_step) {
    points.emplace_back(buckets_.back().last_step, buckets_.back().last);
  }
  return points;
}

std::vector<std::pair<double, double>> Curve::smoothed(double share) const {
  const auto count = static_cast<std::ptrdiff_t>(buckets_.size());
  const auto reach = static_cast<std::ptrdiff_t>(share / 2 * static_cast<double>(count));
  std::vector<std::pair<double, double>> points;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    // The same reach to both sides: near the ends it shrinks, and the curve is not dragged along.
    const std::ptrdiff_t both = std::min({reach, i, count - 1 - i});
    double sum = 0, values = 0;
    for (std::ptrdiff_t j = i - both; j <= i + both; ++j) {
      sum += buckets_[static_cast<std::size_t>(j)].sum;
      values += static_cast<double>(buckets_[static_cast<std::size_t>(j)].count);
    }
    points.emplace_back(buckets_[static_cast<std::size_t>(i)].middle(), sum / values);
  }
  // A bucket of many steps stands in their middle: at the ends that is not where the curve ends.
  if (!points.empty()) {
    points.front() = {buckets_.front().first_step, buckets_.front().first};
    points.back() = {buckets_.back().last_step, buckets_.back().last};
  }
  return points;
}

}  // namespace edt
