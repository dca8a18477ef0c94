#include "node/go_duration.h"

#include <stdio.h>
#include <string.h>

const char *go_duration(int64_t duration_ms, char out[GO_DURATION_MAX])
{
	int64_t hours = duration_ms / 3600000, minutes = duration_ms / 60000 % 60;
	int64_t seconds = duration_ms / 1000 % 60, rest_ms = duration_ms % 1000;
	char fraction[8] = "";
	if (duration_ms > 0 && duration_ms < 1000) {
		snprintf(out, GO_DURATION_MAX, "%lldms", (long long)duration_ms);
		return out;
	}
	if (rest_ms) {
		snprintf(fraction, sizeof(fraction), ".%03d", (int)rest_ms);
		for (size_t len = strlen(fraction); len && fraction[len - 1] == '0'; len--)
			fraction[len - 1] = '\0';
	}
	if (hours)
		snprintf(out, GO_DURATION_MAX, "%lldh%lldm%lld%ss", (long long)hours,
			 (long long)minutes, (long long)seconds, fraction);
	else if (minutes)
		snprintf(out, GO_DURATION_MAX, "%lldm%lld%ss", (long long)minutes,
			 (long long)seconds, fraction);
	else
		snprintf(out, GO_DURATION_MAX, "%lld%ss", (long long)seconds, fraction);
	return out;
}
