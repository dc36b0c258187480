// SPDX-License-Identifier: Apache-2.0
//
// night_deals: an account deals in hours in which nobody should, again and again.
//
// The boundary is C: plain structs, no exception may cross it. Behind it the instance is an ordinary C++ object, made
// in open() and destroyed in close(); the host keeps a pointer to it in the struct of options.
#include <charconv>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <tapewatch/plugin.h>

namespace
{

constexpr int64_t second = 1'000'000'000, day = 86400 * second;

// A stretch of the day in UTC; it may reach over midnight.
struct Hours {
	int64_t from, to;

	explicit Hours(std::string_view text) // "22:00-06:30"
	{
		const auto dash = text.find('-');
		if (dash == std::string_view::npos)
			throw std::invalid_argument("'" + std::string(text) + "'; expected e.g. 22:00-06:30");
		from = minute(text.substr(0, dash));
		to = minute(text.substr(dash + 1));
	}

	bool holds(int64_t ts) const
	{
		const int64_t t = ((ts % day) + day) % day;
		return from <= to ? t >= from && t < to : t >= from || t < to;
	}

      private:
	static int64_t minute(std::string_view text)
	{
		int hours = -1, minutes = -1;
		const char *end = text.data() + text.size();
		const auto [colon, bad] = std::from_chars(text.data(), end, hours);
		if (bad == std::errc() && colon != end && *colon == ':')
			std::from_chars(colon + 1, end, minutes);
		if (hours < 0 || hours > 24 || minutes < 0 || minutes > 59)
			throw std::invalid_argument("'" + std::string(text) +
						    "' is no time of day; expected e.g. 22:00");
		return (hours * 60LL + minutes) * 60 * second;
	}
};

// What open() makes of the options. While events flow it is read only: several workers may be inside at once.
class Nights
{
      public:
	explicit Nights(const tw_list &list)
	{
		hours_.reserve(list.n);
		for (uint64_t i = 0; i < list.n; i++)
			hours_.emplace_back(list.items[i]);
	}

	bool closed(int64_t ts) const
	{
		for (const Hours &h : hours_)
			if (h.holds(ts))
				return true;
		return false;
	}

      private:
	std::vector<Hours> hours_;
};

struct Self { // zero-filled by the host, then the options
	tw_list hours;
	int64_t deals;
	Nights *nights; // ours, from open() to close()
};

struct State { // one per account, kept and restored by the host as bytes
	int64_t day, deals;
};
static_assert(std::is_trivially_copyable_v<State> && std::is_standard_layout_v<Self>);

const tw_option options[] = {
	TW_LIST(Self, hours, "22:00-06:00", "when nobody should deal, in UTC, e.g. [22:00-06:00, 12:00-12:30]"),
	TW_INT(Self, deals, "3", "1", "100000", "deals opened then on one day before an alert"),
	TW_END,
};

int32_t open(void *p, const tw_host *, tw_err *e)
{
	auto *self = static_cast<Self *>(p);
	try {
		self->nights = std::make_unique<Nights>(self->hours).release();
		return TW_OK;
	} catch (const std::exception &x) {
		std::snprintf(e->msg, sizeof e->msg, "hours: %s", x.what());
		return e->code = TW_E_CONFIG;
	}
}

void close(void *p)
{
	std::unique_ptr<Nights>(static_cast<Self *>(p)->nights).reset();
}

int32_t on_deal(tw_ctx *c, const Self &self, const tw_event &ev, State &state)
{
	const int64_t opened = ev.deal.open_ts;
	if (!self.nights->closed(opened))
		return TW_OK;
	if (opened / day != state.day)
		state = { opened / day, 0 };
	if (++state.deals != self.deals)
		return TW_OK;
	auto f = tw_finding(static_cast<double>(state.deals), static_cast<double>(state.deals), 0,
			    static_cast<double>(self.deals));
	f.type = "night_deals";
	return tw_report(c, &ev, &f, "%" PRId64 " deals opened in closed hours in a day", state.deals);
}

int32_t process(tw_ctx *c, const tw_batch *b)
{
	for (c->i = 0; c->i < b->n; c->i++) {
		const int32_t rc = on_deal(c, *static_cast<const Self *>(c->self), *b->ev[c->i],
					   *static_cast<State *>(b->state[c->i]));
		if (rc < 0)
			return rc; // c->i says which event it was
	}
	return TW_OK;
}

constexpr tw_detector describe()
{
	tw_detector d{};
	d.struct_size = sizeof d;
	d.option_size = sizeof(tw_option);
	d.name = "night_deals";
	d.version = "1.0.0";
	d.summary = "deals in hours in which nobody should deal";
	d.options = options;
	d.self_size = sizeof(Self);
	d.key = "account";
	d.kinds = TW_DEAL;
	d.state_size = sizeof(State);
	d.state_version = 1;
	d.open = open;
	d.process = process;
	d.close = close;
	return d;
}

constexpr tw_detector detector = describe();
constexpr const tw_detector *detectors[] = { &detector, nullptr };

} // namespace

extern "C" {
TW_MANIFEST_(.detectors = detectors)
}
