package domain

// builtinTypes holds the five types and 36 actions of the Thinger.io seed
// document ("Adding Permissions to an Access Token"), the tenant actions of
// CrafterCMS Profile, and hallpass's own.
var builtinTypes = []TypeDef{
	{"device", "A device of the account.", []ActionDef{
		{"AccessDeviceResources", LevelWrite, "Executing device resources, like reading a sensor variable."},
		{"ListDeviceResources", LevelList, "List the device resources names."},
		{"GetDeviceStats", LevelRead, "Read device statistics like public ip, connected time, bandwidth, etc."},
		{"CreateDeviceToken", LevelWrite, "Create device tokens."},
		{"ListDeviceTokens", LevelList, "Read device tokens."},
		{"DeleteDeviceToken", LevelWrite, "Delete device tokens."},
		{"ListDevices", LevelList, "List the account devices."},
		{"DeleteDevice", LevelWrite, "Delete devices."},
		{"CreateDevice", LevelWrite, "Create a new device."},
		{"UpdateDevice", LevelWrite, "Modify a device, like its description or credential."},
		{"ListDeviceLocations", LevelList, "Fetch the connected devices locations."},
	}},
	{"bucket", "A bucket of stored data.", []ActionDef{
		{"ReadBucket", LevelRead, "Read information stored in a bucket."},
		{"WriteBucket", LevelWrite, "Write information to a bucket."},
		{"ExportBucket", LevelRead, "Export the information stored in a bucket."},
		{"ClearBucket", LevelWrite, "Clear the information stored in a bucket."},
		{"ListBuckets", LevelList, "List the account buckets."},
		{"DeleteBucket", LevelWrite, "Delete buckets."},
		{"CreateBucket", LevelWrite, "Create a new bucket."},
		{"UpdateBucket", LevelWrite, "Modify the bucket configuration, like data sources, description, etc."},
		{"ReadBucketConfig", LevelRead, "Read the current bucket config."},
	}},
	{"endpoint", "An outgoing call to another service.", []ActionDef{
		{"ListEndpoints", LevelList, "List the account endpoints."},
		{"CreateEndpoint", LevelWrite, "Create a new endpoint."},
		{"ReadEndpointConfig", LevelRead, "Read the current endpoint config."},
		{"UpdateEndpoint", LevelWrite, "Modify the endpoint configuration."},
		{"DeleteEndpoint", LevelWrite, "Delete endpoints."},
		{"CallEndpoint", LevelWrite, "Execute an endpoint."},
	}},
	{"dashboard", "A dashboard.", []ActionDef{
		{"ListDashboards", LevelList, "List the account dashboards."},
		{"CreateDashboard", LevelWrite, "Create a new dashboard."},
		{"ReadDashboardConfig", LevelRead, "Read the current dashboard config."},
		{"UpdateDashboard", LevelWrite, "Modify the dashboard configuration."},
		{"DeleteDashboard", LevelWrite, "Delete dashboards."},
	}},
	{"token", "An access token of the account.", []ActionDef{
		{"ListTokens", LevelList, "List the account tokens."},
		{"CreateToken", LevelWrite, "Create a new token."},
		{"ReadTokenConfig", LevelRead, "Read the current token config."},
		{"UpdateToken", LevelWrite, "Modify the token configuration."},
		{"DeleteToken", LevelWrite, "Delete tokens."},
		{"IntrospectToken", LevelRead, "Ask what a token may do."},
		{"RevealToken", LevelWrite, "See again the secret of a token issued as revealable."},
		{string(ActionGovern), LevelWrite, "Issue and reveal tokens that may do more than oneself; it must be named, no wildcard stands for it."},
	}},
	{"tenant", "A tenant of CrafterCMS Profile.", []ActionDef{
		{"CREATE_TENANT", LevelWrite, "Create a tenant."},
		{"READ_TENANT", LevelRead, "Read a tenant."},
		{"UPDATE_TENANT", LevelWrite, "Modify a tenant."},
		{"DELETE_TENANT", LevelWrite, "Delete a tenant."},
		{"MANAGE_PROFILES", LevelWrite, "Manage the profiles of a tenant."},
		{"MANAGE_TICKETS", LevelWrite, "Manage the tickets of a tenant."},
	}},
	{"account", "An account of hallpass.", []ActionDef{
		{"CreateAccount", LevelWrite, "Open an account."},
		{"SuspendAccount", LevelWrite, "Suspend an account."},
		{"ResumeAccount", LevelWrite, "Resume a suspended account."},
		{"CloseAccount", LevelWrite, "Close an account for good."},
		{"UpdateAccount", LevelWrite, "Rename an account, or say who manages its tokens."},
	}},
	{"catalog", "The catalogue of resource types.", []ActionDef{
		{"DefineType", LevelWrite, "Add or replace a resource type."},
		{"RemoveType", LevelWrite, "Remove a resource type."},
	}},
	{"audit", "The records of the account.", []ActionDef{
		{"ReadEvents", LevelRead, "Follow and read the account's events."},
		{"ReadAudit", LevelWrite, "Query and export the audit."},
	}},
}
