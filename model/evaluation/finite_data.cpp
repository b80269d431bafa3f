#include "model/evaluation/finite_data.h"

#include <cmath>
#include <limits>

#include "core/base/assert.h"
#include "model/evaluation/matrix.h"

namespace edt {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Of the sum of weights: less than that is lost in its rounding.
constexpr double kNegligible = 1e-18;

}  // namespace

struct SampleBlock::Impl {
  Matrix rows;
  Eigen::VectorXd squares;
  std::vector<std::int32_t> labels;
  std::uint64_t first;
};

SampleBlock::SampleBlock(const Features& samples, std::span<const std::int32_t> labels,
                         std::uint64_t first)
    : impl_(new Impl{rows_of(samples), {}, {labels.begin(), labels.end()}, first}) {
  EDT_ASSERT(samples.count() == static_cast<std::int64_t>(labels.size()));
  impl_->squares = impl_->rows.rowwise().squaredNorm();
}

SampleBlock::~SampleBlock() = default;
SampleBlock::SampleBlock(SampleBlock&&) noexcept = default;

struct BestDenoiser::Impl {
  // A mean over samples with weights exp(logit), as they come.
  class RunningMean {
   public:
    RunningMean(std::int64_t rows, std::int64_t width)
        : highest_(Eigen::VectorXd::Constant(rows, -kInfinity)),
          total_(Eigen::VectorXd::Zero(rows)),
          sum_(Matrix::Zero(rows, width)) {}

    // `logits` [rows, samples]; -infinity: the sample does not count. They become weights.
    void add(Matrix& logits, const Matrix& samples) {
      bool any = false;
      for (std::int64_t r = 0; r < logits.rows(); ++r) any = weigh(r, logits.row(r)) || any;
      if (any) sum_.noalias() += logits * samples;
    }

    std::vector<double> values() const {
      std::vector<double> values(static_cast<std::size_t>(sum_.size()));
      Map(values.data(), sum_.rows(), sum_.cols()) = sum_.array().colwise() / total_.array();
      return values;
    }

   private:
    // False where no sample changes the row.
    template <class Row>
    bool weigh(std::int64_t r, Row logits) {
      const double highest = std::max(highest_(r), logits.maxCoeff());
      if (highest == -kInfinity) {
        logits.setZero();
        return false;
      }
      const double shrunk = std::exp(highest_(r) - highest);
      if (shrunk < 1) {
        total_(r) *= shrunk;
        sum_.row(r) *= shrunk;
      }
      highest_(r) = highest;
      logits = (logits.array() - highest).exp();
      const double more = logits.sum();
      total_(r) += more;
      if (more > kNegligible * total_(r)) return true;
      logits.setZero();
      return false;
    }

    Eigen::VectorXd highest_, total_;  // of the logits; of exp(logit - highest)
    Matrix sum_;
  };

  Matrix x_t;
  std::vector<NoiseLevel> levels;
  std::vector<std::int32_t> labels;
  RunningMean all, of_class;
};

BestDenoiser::BestDenoiser(const Features& x_t, std::vector<NoiseLevel> levels,
                           std::vector<std::int32_t> labels)
    : impl_(new Impl{rows_of(x_t),
                     std::move(levels),
                     std::move(labels),
                     {x_t.count(), x_t.width},
                     {x_t.count(), x_t.width}}) {
  EDT_ASSERT(impl_->levels.size() == static_cast<std::size_t>(x_t.count()));
  EDT_ASSERT(impl_->labels.size() == impl_->levels.size());
}

BestDenoiser::~BestDenoiser() = default;
BestDenoiser::BestDenoiser(BestDenoiser&&) noexcept = default;

void BestDenoiser::add(const SampleBlock& samples) {
  const SampleBlock::Impl& block = samples.impl();
  // |x_t|^2 is the same for all samples of a row, and falls out.
  Matrix logits = impl_->x_t * block.rows.transpose();
  Matrix of_class = Matrix::Constant(logits.rows(), logits.cols(), -kInfinity);
  for (std::int64_t r = 0; r < logits.rows(); ++r) {
    const auto [alpha, sigma] = impl_->levels[static_cast<std::size_t>(r)];
    const std::int32_t label = impl_->labels[static_cast<std::size_t>(r)];
    for (std::int64_t j = 0; j < logits.cols(); ++j) {
      logits(r, j) = alpha * (logits(r, j) - alpha * block.squares(j) / 2) / (sigma * sigma);
      if (block.labels[static_cast<std::size_t>(j)] == label) of_class(r, j) = logits(r, j);
    }
  }
  impl_->all.add(logits, block.rows);
  impl_->of_class.add(of_class, block.rows);
}

std::vector<double> BestDenoiser::of_all() const { return impl_->all.values(); }
std::vector<double> BestDenoiser::of_class() const { return impl_->of_class.values(); }

struct NearestSamples::Impl {
  Matrix rows;
  Eigen::VectorXd squares;
  std::vector<NearestPair> pairs;
};

NearestSamples::NearestSamples(const Features& rows)
    : impl_(new Impl{
          rows_of(rows), {}, std::vector<NearestPair>(static_cast<std::size_t>(rows.count()))}) {
  impl_->squares = impl_->rows.rowwise().squaredNorm();
  for (NearestPair& pair : impl_->pairs) pair.distance = {kInfinity, kInfinity};
}

NearestSamples::~NearestSamples() = default;
NearestSamples::NearestSamples(NearestSamples&&) noexcept = default;

void NearestSamples::add(const SampleBlock& samples) {
  const SampleBlock::Impl& block = samples.impl();
  const Matrix products = impl_->rows * block.rows.transpose();
  const double root = std::sqrt(static_cast<double>(impl_->rows.cols()));
  for (std::int64_t r = 0; r < products.rows(); ++r) {
    auto& [sample, distance] = impl_->pairs[static_cast<std::size_t>(r)];
    for (std::int64_t j = 0; j < products.cols(); ++j) {
      // What may be among the nearest by the products is measured by differences, which lose no
      // digits where rows are alike.
      const double squares = impl_->squares(r) + block.squares(j);
      const double limit = distance[1] * root;
      if (!(squares - 2 * products(r, j) <= limit * limit + 1e-12 * squares)) continue;
      const double exact = (impl_->rows.row(r) - block.rows.row(j)).norm() / root;
      if (!(exact < distance[1])) continue;
      const bool is_first = exact < distance[0];
      if (is_first) {
        distance[1] = distance[0];
        sample[1] = sample[0];
      }
      distance[is_first ? 0 : 1] = exact;
      sample[is_first ? 0 : 1] = block.first + static_cast<std::uint64_t>(j);
    }
  }
}

const std::vector<NearestPair>& NearestSamples::pairs() const { return impl_->pairs; }

}  // namespace edt
