/* (next) */
#include "api/validate-int.h"

const struct kind_rules validate_admission[] = {
	{},
};
