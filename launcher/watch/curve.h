// A curve over steps in bounded memory: runs of steps share a bucket that keeps mean, lowest and
// highest value, so that no spike is lost however long the run is.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace edt {

class Curve {
 public:
  struct Bucket {
    std::int64_t first_step = 0, last_step = 0;
    std::int64_t count = 0;
    double sum = 0;
    double first = 0, last = 0;
    double low = 0, high = 0;
    std::int64_t low_step = 0, high_step = 0;

    double mean() const { return sum / static_cast<double>(count); }
    double middle() const { return static_cast<double>(first_step + last_step) / 2; }
  };

  // Between limit / 2 and `limit` buckets once there are that many steps.
  explicit Curve(std::size_t limit = 1024) : limit_(limit) {}

  // Steps must not decrease. NaN and infinity are counted, not kept.
  void add(std::int64_t step, double value);

  std::span<const Bucket> buckets() const { return buckets_; }
  std::int64_t not_finite() const { return not_finite_; }
  bool empty() const { return buckets_.empty(); }

  // (step, value) in the order of steps: the lowest and the highest of each bucket.
  std::vector<std::pair<double, double>> extremes() const;
  // Means over a window of about `share` of all buckets around each bucket, from the first value to
  // the last.
  std::vector<std::pair<double, double>> smoothed(double share = 0.02) const;

 private:
  void halve();

  std::size_t limit_;
  std::int64_t width_ = 1;  // steps of a bucket
  std::int64_t not_finite_ = 0;
  std::vector<Bucket> buckets_;
};

}  // namespace edt
