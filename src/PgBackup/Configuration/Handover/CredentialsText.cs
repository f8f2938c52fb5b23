namespace PgBackup.Configuration.Handover;

/// <summary>Looks into a file in the form of the AWS tools' shared credentials.</summary>
internal static class CredentialsText
{
    /// <summary>Whether the file has an access key under a profile; false too when there is no file, or it cannot be read.</summary>
    public static bool Has(string path, string profile)
    {
        if (!File.Exists(path) || !CommandAccount.Current().CanRead(path))
            return false;
        bool within = false;
        foreach (string raw in File.ReadLines(path))
        {
            string line = raw.Trim();
            if (line.StartsWith('['))
                within = line.TrimStart('[').TrimEnd(']').Trim() == profile;
            else if (within && line.StartsWith("aws_access_key_id", StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }
}
