"""Short dates, and prices that read 450.000 ₫: of Vietnamese Django knows no grouping."""

DATE_FORMAT = "d/m/Y"
DATETIME_FORMAT = "H:i d/m/Y"
NUMBER_GROUPING = 3
