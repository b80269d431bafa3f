// y = x f of the unit; dx = dy f, df = sums of dy x over rows and the unit's columns. f = scale
// m(w, d), dw = df scale m'(w, d). A sparsity is a sum of price (w + d) or price (d - w), or the l2
// norm of price (d - |w|), over |w| < d.
#include "core/ops/unit_mask.h"

#include <cmath>

#include "core/ops/unit_mask_formula.h"
#include "core/reference/doubles.h"
#include "core/reference/kernels.h"

namespace edt {
namespace {

// Of each unit: its bound, its scale, its price.
struct BandRows {
  explicit BandRows(const Tensor& band)
      : values(load(band)), n(static_cast<std::size_t>(band.shape[1])) {}
  double bound(std::size_t i) const { return values[i]; }
  double scale(std::size_t i) const { return values[n + i]; }
  double price(std::size_t i) const { return values[2 * n + i]; }

  Doubles values;
  std::size_t n;
};

// What a unit adds to a sum, or, of the norm, its number there.
double part_of_sparsity(SparsityForm form, double w, double bound, double price) {
  if (!within_band(w, bound)) return 0;
  if (form == SparsityForm::kRelu) return price * (w + bound);
  return price * (bound - (form == SparsityForm::kUprelu ? w : std::abs(w)));
}

// Which of the factors is that of an element of x.
struct FactorOf {
  FactorOf(const Tensor& x, const Tensor& factors)
      : columns(static_cast<std::size_t>(x.shape[1])),
        units(static_cast<std::size_t>(factors.shape.columns())),
        rows(static_cast<std::size_t>(x.shape[0] / factors.shape.rows())) {}
  std::size_t operator()(std::size_t element) const {
    const std::size_t row = element / columns, column = element % columns;
    return row / rows * units + column * units / columns;
  }

  std::size_t columns, units, rows;
};

}  // namespace

void ReferenceBackend::band_mask_forward(T weights, T band, T factors) {
  Doubles values = load(weights);
  const BandRows rows(band);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = rows.scale(i) * mask_factor(values[i], rows.bound(i));
  }
  store(values, factors);
}

void ReferenceBackend::band_mask_backward(T dfactors, T weights, T band, G dweights) {
  Doubles d = load(dfactors);
  const Doubles w = load(weights);
  const BandRows rows(band);
  for (std::size_t i = 0; i < d.size(); ++i) {
    d[i] *= rows.scale(i) * mask_slope(w[i], rows.bound(i));
  }
  store(d, dweights);
}

void ReferenceBackend::band_sparsity_forward(SparsityForm form, T weights, T band, T losses,
                                             T sum) {
  const Doubles w = load(weights);
  const BandRows rows(band);
  const bool is_norm = form == SparsityForm::kBound;
  double total = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double part = part_of_sparsity(form, w[i], rows.bound(i), rows.price(i));
    total += is_norm ? part * part : part;
  }
  if (is_norm) total = std::sqrt(total);
  store(Doubles{total}, sum);
  Doubles all = load(losses);
  for (double& loss : all) loss += total;
  store(all, losses);
}

void ReferenceBackend::band_sparsity_backward(SparsityForm form, T dsum, T sum, T weights, T band,
                                              G dweights) {
  const double d = load(dsum)[0], total = load(sum)[0];
  Doubles w = load(weights);
  const BandRows rows(band);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double bound = rows.bound(i), price = rows.price(i);
    double slope = 0;
    if (within_band(w[i], bound)) {
      slope = form == SparsityForm::kRelu ? price : -price;
      if (form == SparsityForm::kBound) {
        const double part = part_of_sparsity(form, w[i], bound, price);
        slope = total > 0 ? (w[i] > 0 ? -price : price) * part / total : 0;
      }
    }
    w[i] = d * slope;
  }
  store(w, dweights);
}

void ReferenceBackend::mask_units_forward(T x, T factors, T y) {
  const Doubles f = load(factors);
  const FactorOf factor(x, factors);
  Doubles values = load(x);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= f[factor(i)];
  store(values, y);
}

void ReferenceBackend::mask_units_backward(T dy, T x, T factors, G dx, G dfactors) {
  const Doubles f = load(factors), values = load(x);
  const FactorOf factor(x, factors);
  Doubles d = load(dy), df(f.size(), 0.0);
  for (std::size_t i = 0; i < d.size(); ++i) {
    df[factor(i)] += d[i] * values[i];
    d[i] *= f[factor(i)];
  }
  store(d, dx);
  store(df, dfactors);
}

}  // namespace edt
